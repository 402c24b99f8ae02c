"""Objects that need no file: the simulator's shapes, textured."""

from __future__ import annotations

import difflib

import numpy as np

from hoigen.conventions import OBJECT
from hoigen.editing.placement import PlacementError
from hoigen.records import MeshAsset
from hoigen.sources.mujoco.clutter import FREE_SHAPES
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.objects import make_thing
from hoigen.sources.mujoco.scene import draw_look

TEXTURE = 128


def made_thing(shape: str, seed: int) -> tuple[MeshAsset, str]:
    """A textured mesh of a shape, of a size and look that the seed draws, and its caption ('a red mug').

    Its origin is at the middle of its height. PlacementError for a shape that there is not.
    """
    if shape not in FREE_SHAPES:
        near = difflib.get_close_matches(shape, FREE_SHAPES, 1)
        raise PlacementError(
            f'object: expected a mesh file (GLB, glTF, OBJ, PLY or STL) or one of '
            f'{", ".join(FREE_SHAPES)}, got {shape!r}' + (f'; did you mean {near[0]!r}?' if near else '')
        )
    draws = Draws('train', seed)
    thing = make_thing(shape, draws)
    picture, colour = draw_look(draws, TEXTURE)
    mesh = thing.mesh
    asset = MeshAsset(
        shape,
        OBJECT,
        mesh.vertices.astype(np.float32),
        mesh.triangles,
        mesh.uv.astype(np.float32),
        np.ascontiguousarray(picture),
    )
    return asset, f'a {colour} {thing.noun}'
