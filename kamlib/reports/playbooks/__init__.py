"""The words of the playbooks, one module for each; their sentences stand whole in the language folder."""
