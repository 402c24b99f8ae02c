"""Training of the insertion model: autoencoder, novel views (stage 1), insertion (stage 2)."""
