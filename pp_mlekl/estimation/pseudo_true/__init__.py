"""The parameter that minimises KL(truth||model)."""
