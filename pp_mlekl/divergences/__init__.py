"""Divergences between distributions and between samples: arrays in, frozen dataclasses out."""
