"""Bridge sampling and what follows from the density ratio: arrays in, frozen dataclasses out."""
