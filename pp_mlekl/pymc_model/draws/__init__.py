"""Draws from posterior, prior and predictive distributions."""
