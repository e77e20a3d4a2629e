"""Many data sets from one truth, and the fits of all of them."""
