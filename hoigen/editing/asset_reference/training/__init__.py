"""Training of the asset-referenced model: simulated scenes, autoencoder, picture and point map together."""
