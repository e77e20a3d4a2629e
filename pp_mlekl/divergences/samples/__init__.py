"""Entropies, divergences and distances from draws alone."""
