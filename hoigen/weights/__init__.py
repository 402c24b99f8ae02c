"""Published weights: which there are and under what licence, where they lie, and how they enter a model."""

from hoigen.weights.catalogue import Entry, MissingWeights, ModelError, entry
from hoigen.weights.store import weights_of

__all__ = ['Entry', 'MissingWeights', 'ModelError', 'entry', 'weights_of']
