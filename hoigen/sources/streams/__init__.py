"""Streams of messages -> frames, segments and episodes: what belongs together, in which order, and what is refused."""
