"""Training data of pose-edited frames: simulated scenes with exact labels, real pictures with labels by models."""
