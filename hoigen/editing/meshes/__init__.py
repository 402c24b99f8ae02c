"""Meshes of objects: from files, with their look, or made by name."""
