"""Rigid transforms, pinhole cameras, mesh tables, surface samples and the depth raster. Arrays in, arrays out."""
