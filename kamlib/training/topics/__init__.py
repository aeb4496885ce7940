"""The exercises of the course, one module for each topic of the account manager's handbook."""
