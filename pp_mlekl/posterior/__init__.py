"""Evidence, Laplace approximation, divergences between prior and posterior."""
