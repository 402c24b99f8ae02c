"""Networks that several systems use, and how they are loaded."""
