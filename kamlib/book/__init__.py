"""What the data means and where it lives."""
