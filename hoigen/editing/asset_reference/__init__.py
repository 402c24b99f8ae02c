"""Pictures of a 3D asset, each with the map of the asset's surface points that it shows (RefAny3D)."""
