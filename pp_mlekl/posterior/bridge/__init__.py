"""Bridge sampling and divergences from the density ratio: arrays in, frozen dataclasses out."""
