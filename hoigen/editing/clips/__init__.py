"""Edits over all frames of a clip, with labels that stay true."""
