"""The only folder that imports PyMC and PyTensor: a model becomes functions of a flat vector."""
