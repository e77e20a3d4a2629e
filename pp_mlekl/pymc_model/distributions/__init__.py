"""PyMC's distributions as distributions of arrays."""
