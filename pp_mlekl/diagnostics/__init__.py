"""Whether the sampling is sound, and whether the model predicts its data."""
