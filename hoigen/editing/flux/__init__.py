"""What both FLUX systems share: configuration, pictures as tokens and back, text, flow matching."""

import warnings

# bfloat16 autocast over float32 norms is what is meant; that torch then cannot fuse the two is no news to a user
warnings.filterwarnings('ignore', 'Mismatch dtype between input and weight')
