"""Recorded video -> clip: boxes, masks, point maps and 3D tracks, found in the pictures."""
