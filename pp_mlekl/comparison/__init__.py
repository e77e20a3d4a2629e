"""Compare all fits of one model, and several models of the same data."""
