"""Diagnostics of sampling, leave-one-out cross-validation, prior sensitivity and predictive checks."""
