"""The gallery: one module for each model, with its data, its builder and, where data can be made, a truth."""
