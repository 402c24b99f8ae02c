"""CogVideoX with the 3D ControlNet of HVG-3D: model, sampling, generator; training in :mod:`hoigen.video.training`."""

from hoigen.video.generator import Generator, load_generator
from hoigen.video.model import ModelError

__all__ = ['Generator', 'ModelError', 'load_generator']
