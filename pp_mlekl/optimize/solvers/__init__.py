"""Maximisation of an objective: each method in a file of its own."""
