"""The course for new account managers."""
