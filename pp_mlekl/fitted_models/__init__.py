"""Divergence of fitted distributions from the truth, or from each other if no truth is given."""
