"""Plans: the numbers of the playbooks, one module for each; what to do next, for whom, by when."""
