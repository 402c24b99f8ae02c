"""Sources: everything that gives scene frames with exact geometry and labels."""
