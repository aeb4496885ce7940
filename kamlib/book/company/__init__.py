"""The sample company: the process it lives by, and the tables that process leaves behind."""
