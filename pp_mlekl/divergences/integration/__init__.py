"""Expectations by quadrature and summation, with checks of the tails."""
