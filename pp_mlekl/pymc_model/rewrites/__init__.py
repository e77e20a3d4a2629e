"""Rewrites of graphs: double precision, accurate formulas, fewer operations."""
