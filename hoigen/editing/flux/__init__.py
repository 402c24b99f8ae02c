"""What both FLUX systems share: configuration, pictures as tokens and back, text, flow matching."""
