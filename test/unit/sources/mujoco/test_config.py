"""Settings that cannot be kept are refused by name, with what was meant."""

from __future__ import annotations

import pytest

from hoigen.sources.mujoco import ConfigError, MujocoConfig


@pytest.mark.parametrize(
    ('settings', 'says'),
    [
        ({'shape': 'botle'}, "shape.*got 'botle'; did you mean 'bottle'"),
        ({'camera': 'frnt'}, "camera.*did you mean 'front'"),
        ({'task': 'lfit'}, "task.*did you mean 'lift'"),
        ({'split': 'test'}, "split: expected one of train, heldout, got 'test'"),
        ({'task': 'pour', 'shape': 'ball'}, "shape: expected one that 'pour' can be done with.*got 'ball'"),
        ({'frames': 5}, r'at least 1.5 s.*got 5 frames at 8.0 Hz'),
        ({'rate_hz': 0.0}, 'rate_hz'),
        ({'width': 0}, 'got 0x480'),
        ({'attempts': 0}, 'attempts: expected at least 1'),
        ({'camera': 'x', 'shape': 'y'}, 'camera.*; shape'),
    ],
)
def test_refused(settings: dict, says: str) -> None:
    """Every wrong field is named in one error, with what was expected and what came."""
    with pytest.raises(ConfigError, match=says):
        MujocoConfig(**settings)


@pytest.mark.parametrize('settings', [{}, {'shape': 'chest'}, {'task': 'open'}, {'frames': 49}])
def test_accepted(settings: dict) -> None:
    """The defaults hold, and naming only one of task and shape is enough."""
    MujocoConfig(**settings)
