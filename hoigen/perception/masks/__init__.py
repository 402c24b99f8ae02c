"""Masks of hands and objects without learned weights: background, motion, depth, colours."""
