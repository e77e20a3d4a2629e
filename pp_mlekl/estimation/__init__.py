"""Point estimates, whether they exist, and their errors."""
