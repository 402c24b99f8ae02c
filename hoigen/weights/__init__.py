"""Published weights: which there are and under what licence, where they lie, and how they enter a model."""
