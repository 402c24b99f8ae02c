"""CogVideoX with the 3D ControlNet of HVG-3D: model, sampling, generator; training in :mod:`hoigen.video.training`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {'Generator': 'generator', 'load_generator': 'generator', 'ModelError': 'model', 'Sampling': 'sampling'}

__all__ = ['Generator', 'ModelError', 'Sampling', 'load_generator']


def __getattr__(name: str) -> Any:  # torch and diffusers take seconds to import: only who generates waits for them
    if name not in _WHERE:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_WHERE[name]}'), name)
