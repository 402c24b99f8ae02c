"""Cameras, surface points and their places: what stands still, what moves rigidly, what bends."""
