"""Files, seeds and garbage collection."""
