"""Hands in images: 21 keypoints each, a side, and a number that is kept; by MediaPipe's networks, or by a plug-in."""
