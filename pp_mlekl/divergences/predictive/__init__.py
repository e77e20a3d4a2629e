"""Divergences of predictive mixtures over draws."""
