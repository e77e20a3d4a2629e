"""Helpers that know nothing of models: files, seeds, what threads share."""
