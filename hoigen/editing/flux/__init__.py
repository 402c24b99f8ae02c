"""What the systems on FLUX share: configuration, loading, training of the small autoencoder."""
