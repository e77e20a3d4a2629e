"""Likelihood-ratio, Wald and score tests of nested models."""
