"""A user's meshes as things that can stand in simulated scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from hoigen.editing.data.records import DataError
from hoigen.geometry.shading import PLAIN
from hoigen.records import MeshAsset
from hoigen.sources.mujoco.clutter import Look, draw_looks
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.meshes import Mesh
from hoigen.sources.mujoco.objects import Collider, Thing

__all__ = ['ENDINGS', 'chooser', 'look_of', 'mesh_files', 'read_library']

ENDINGS = ('.glb', '.gltf', '.obj', '.ply', '.stl')
LARGEST_M, THINNEST_M = 0.6, 0.002
"""What is larger does not stand on the table with others; what is thinner has no solid hull to stand with."""
UNITS = (('millimetres', 0.001), ('centimetres', 0.01), ('inches', 0.0254))


def mesh_files(folder: Path) -> list[Path]:
    """The meshes of a folder and its subfolders, by name."""
    if not folder.is_dir():
        raise DataError(f'meshes: expected a folder, got {folder}')
    found = sorted(path for path in folder.rglob('*') if path.suffix.lower() in ENDINGS)
    if not found:
        raise DataError(f'meshes: expected files {", ".join(ENDINGS)} in {folder}, found none')
    return found


def read_library(folder: Path, scale: float) -> tuple[tuple[Look, ...], tuple[str, ...]]:
    """The meshes that can be used, and why the others cannot; DataError if none can."""
    from hoigen.editing.subjects import load_mesh  # trimesh takes a second to import; our own things need none of it

    looks, faults = [], []
    for path in mesh_files(folder):
        try:
            looks.append(look_of(load_mesh(path, scale), caption_of(path)))
        except (ValueError, RuntimeError, OSError) as error:
            faults.append(f'{path.name}: {error}')
    if not looks:
        raise DataError(f'{folder}: no mesh can be used: ' + '; '.join(faults))
    return tuple(looks), tuple(faults)


def caption_of(path: Path) -> str:
    """What ``NAME.txt`` beside a mesh or folder says, else the words of its name."""
    name = path.name if path.is_dir() else path.stem
    told = path.with_name(f'{name}.txt')
    words = told.read_text(encoding='utf-8')[:400] if told.is_file() else name.replace('_', ' ').replace('-', ' ')
    if not words.strip():
        raise DataError(f'{told}: expected a few words that tell what the object is, got none')
    return ' '.join(words.split())


def look_of(asset: MeshAsset, caption: str) -> Look:
    """A mesh as a thing: its origin goes to the middle of its box, its axes stay; it touches others with its convex
    hull; without a look of its own it is grey. DataError for a size or a flatness that cannot stand on the table."""
    low, high = asset.vertices.min(0).astype(float), asset.vertices.max(0).astype(float)
    across = float(np.linalg.norm(high - low))
    if across > LARGEST_M:
        likely = [f'{name} (then --mesh-scale {unit:g})' for name, unit in UNITS if 0.01 <= across * unit <= LARGEST_M]
        hint = f'; its unit may be {" or ".join(likely)}' if likely else ''
        raise DataError(f'expected at most {LARGEST_M} m across, to stand on a table, got {across:.4g} m{hint}')
    if (high - low).min() < THINNEST_M:
        raise DataError(f'expected at least {THINNEST_M} m in each direction, got {(high - low).round(4).tolist()}')
    vertices = (asset.vertices - (low + high) / 2).astype(np.float32)
    uv, texture = asset.uv, asset.texture
    if uv is None or texture is None:
        uv, texture = np.zeros((len(vertices), 2), np.float32), np.tile(PLAIN, (2, 2, 1))
    try:
        hull = vertices[ConvexHull(vertices.astype(float)).vertices].astype(float)
    except QhullError as error:
        raise DataError(f'expected a solid body, its convex hull has none: {str(error).splitlines()[0]}') from error
    size = (high - low) / 2
    thing = Thing(caption, Mesh(vertices.astype(float), uv.astype(float), asset.triangles),
                  (Collider('mesh', points=hull),), float(size[2]), 2 * float(size[:2].min()), side=True)
    return Look(thing, replace(asset, vertices=vertices, uv=uv, texture=texture), caption)


def chooser(library: Sequence[Look], share: float) -> Callable[[Draws, int], tuple[Look, ...]]:
    """Draws a scene's things: each with this probability one of the library, else one of ours."""
    def choose(draws: Draws, count: int) -> tuple[Look, ...]:
        drawn = [draws.pick(library) if draws.chance(share) else draw_looks(draws, 1)[0] for _ in range(count)]
        return tuple(replace(look, asset=replace(look.asset, id=f'thing_{number}'))
                     for number, look in enumerate(drawn))
    return choose
