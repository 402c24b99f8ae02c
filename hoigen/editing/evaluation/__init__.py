"""``hoigen evaluate edit``: insertion measured on held-out scenes."""
