"""What every system that edits frames can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from hoigen.editing.records import Edited, Subject
from hoigen.records import Camera, Provenance

OnStep = Callable[[int, int, np.ndarray], None]
"""Called after each step with its number, their number and the image so far."""


class Editor(Protocol):
    """A model that puts objects into images and takes them away."""

    def insert(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray,
        camera: Camera,
        subject: Subject,
        T_world_object: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        on_step: OnStep | None = None,
    ) -> Edited: ...

    def remove(
        self,
        rgb: np.ndarray,
        mask: np.ndarray,
        depth_m: np.ndarray | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
    ) -> np.ndarray: ...

    def provenance(self, seed: int, steps: int | None = None) -> Provenance: ...
