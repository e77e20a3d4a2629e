"""Maximisation of smooth functions of a flat vector, and the audit of what was found."""
