"""Published weights: which there are and under what licence, where they lie, and how they enter a model."""

from hoigen.models.hub.catalogue import Entry, MissingWeights, ModelError, entry
from hoigen.models.hub.store import weights_of

__all__ = ['Entry', 'MissingWeights', 'ModelError', 'entry', 'weights_of']
