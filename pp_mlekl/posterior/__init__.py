"""What the data taught: evidence, Laplace approximation, divergences between prior and posterior."""
