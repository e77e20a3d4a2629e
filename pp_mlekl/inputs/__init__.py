"""What may be given as a distribution or as a truth."""
