"""The gallery: one module for each data set, with its data, its builders and new data from a truth.

``from pp_mlekl.gallery import radon`` works from an installed package, ``from models import radon`` in a clone too.
"""
