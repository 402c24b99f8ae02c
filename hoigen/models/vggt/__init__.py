"""VGGT (Wang et al., CVPR 2025), written anew for published checkpoints."""
