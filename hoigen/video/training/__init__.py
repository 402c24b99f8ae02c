"""Training: the autoencoder, the DiT with its control branch, and the decoder's adaptation to generated latents."""
