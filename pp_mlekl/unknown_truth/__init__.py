"""What stands in for KL(true||fitted) where nobody knows the truth."""

from pp_mlekl.unknown_truth.door import without_truth

__all__ = ["without_truth"]
