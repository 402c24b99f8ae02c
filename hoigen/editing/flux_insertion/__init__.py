"""SpatialHand: an object inserted at a 6DoF pose, occlusion computed from depth."""
