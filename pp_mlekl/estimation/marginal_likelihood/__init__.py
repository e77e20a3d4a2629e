"""Maximum likelihood with latent variables integrated out."""
