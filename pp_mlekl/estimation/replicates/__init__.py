"""Data sets drawn from a truth, and the fits of all of them at once."""
