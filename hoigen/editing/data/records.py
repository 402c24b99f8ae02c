"""Scenes on disk, as the insertion model's training reads them: one ``scene_NUMBER.npz`` each.

E examples of N things with V pictures of each, S the side of a picture in pixels:

=====================  =====================  ========================================================================
array                  shape                  what
=====================  =====================  ========================================================================
rgb, without           [E,S,S,3] uint8        the scene with and without the thing
without_known          [E] bool               False where what is behind the thing is not known; it is grey there
depth_without_m        [E,S,S] float32        depth of the scene without the thing along the optical axis, NaN unknown
mask                   [E,S,S] bool           where the thing would be seen if nothing stood before it
object_depth_m         [E,S,S] float32        its front surface, infinite outside the mask
guide                  [E,S,S,3] uint8        its mesh drawn at its pose; grey where there is no mesh
box_mask, box_depth_m  as of the thing        the same of the box about it
insertion_depth_m      [E] float32            depth of its origin
orientation            [E,3] float32          azimuth, elevation, in-plane (:class:`hoigen.geometry.orientation`)
thing                  [E] int64              which of the N it is
K, T_world_cam,        [E,3,3], [E,4,4]       camera and pose, float64
T_world_object
view_rgb               [N,V,S,S,3] uint8      pictures of each thing alone, on white
view_orientation       [N,V,3] float32        how it is turned in them
caption                [N] str                what it is
=====================  =====================  ========================================================================

Metres, radians. Of real pictures depth is in metres only if it was measured or estimated so (the manifest says which),
and NaN stands for every number that no model told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.whole_files import whole_file

__all__ = ['DataError', 'Outcome', 'write_scene']


class DataError(ValueError):
    """Training data cannot be made as asked; the text names the value, what was expected and what came."""


@dataclass(frozen=True)
class Outcome:
    """What became of one scene. file: its name, '' where nothing of it was kept. dropped: examples that were left out,
    by reason. notes: what else is to be told."""

    number: int
    file: str
    examples: int
    captions: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


def write_scene(path: Path, arrays: Mapping[str, Any], *, compress: bool) -> None:
    """Write one scene; the file appears whole or not at all."""
    with whole_file(path) as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)
