"""A user's meshes as things that can stand in simulated scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from rich.progress import track
from scipy.spatial import ConvexHull, QhullError

from hoigen.conventions import OBJECT
from hoigen.editing.arrays import opened
from hoigen.editing.data.records import DataError, write_scene
from hoigen.editing.subjects.from_files import KINDS, load_mesh
from hoigen.geometry.shading import PLAIN
from hoigen.provenance import sha256_of
from hoigen.records import MeshAsset
from hoigen.sources.mujoco.clutter import Look, draw_looks
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.meshes import Mesh
from hoigen.sources.mujoco.objects import Collider, Thing

LARGEST_M, THINNEST_M = 0.6, 0.002
"""What is larger does not stand on the table with others; what is thinner has no solid hull to stand with."""
MOST_TRIANGLES = 200_000
UNITS = (('millimetres', 0.001), ('centimetres', 0.01), ('inches', 0.0254))
KEPT = 64
"""Meshes that a worker process holds at the same time."""


@dataclass(frozen=True)
class LibraryMesh:
    """A mesh that can be used: its arrays on disk as they were read from the user's file, and what it is."""

    arrays: Path
    caption: str

    def look(self) -> Look:
        return _look(self.arrays, self.caption)


def mesh_files(folder: Path) -> list[Path]:
    """The meshes of a folder and its subfolders, by name."""
    if not folder.is_dir():
        raise DataError(f'meshes: expected a folder, got {folder}')
    found = sorted(path for path in folder.rglob('*') if path.suffix.lower() in KINDS)
    if not found:
        raise DataError(f'meshes: expected files {", ".join(KINDS)} in {folder}, found none')
    return found


def prepare_library(
    folder: Path, scale: float, out: Path, workers: int
) -> tuple[tuple[LibraryMesh, ...], tuple[str, ...]]:
    """Read every mesh once and keep its arrays in ``out``. Those that can be used, and why the others cannot; DataError
    if none can. What was read before is not read again."""
    out.mkdir(parents=True, exist_ok=True)
    files = mesh_files(folder)

    def prepare(path: Path) -> LibraryMesh | str:
        try:
            arrays = out / f'{sha256_of(path)[:24]}_{scale:g}.npz'
            if not arrays.is_file():
                asset = load_mesh(path, scale)
                known = {} if asset.uv is None or asset.texture is None else {'uv': asset.uv, 'texture': asset.texture}
                write_scene(arrays, {'vertices': asset.vertices, 'triangles': asset.triangles} | known, compress=False)
            found = LibraryMesh(arrays, caption_of(path))
            found.look()
        except (ValueError, RuntimeError, OSError) as error:
            return f'{path.name}: {error}'
        return found

    with ThreadPoolExecutor(workers) as pool:  # each reading is a process of its own
        made = list(track(pool.map(prepare, files), 'meshes', len(files)))
    faults = tuple(item for item in made if isinstance(item, str))
    meshes = tuple(item for item in made if not isinstance(item, str))
    if not meshes:
        raise DataError(f'{folder}: no mesh can be used: ' + '; '.join(faults))
    return meshes, faults


@lru_cache(KEPT)
def _look(arrays: Path, caption: str) -> Look:
    with opened(arrays, 'a mesh read before') as kept:
        asset = MeshAsset(arrays.stem, OBJECT, kept['vertices'], kept['triangles'], kept.get('uv'), kept.get('texture'))
    return look_of(asset, caption)


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
    hull; without a look of its own it is grey. DataError for what cannot stand on the table, by its size or flatness,
    and for too many triangles."""
    low, high = asset.vertices.min(0).astype(float), asset.vertices.max(0).astype(float)
    across = float(np.linalg.norm(high - low))
    if across > LARGEST_M:
        likely = [f'{name} (then --mesh-scale {unit:g})' for name, unit in UNITS if 0.01 <= across * unit <= LARGEST_M]
        hint = f'; its unit may be {" or ".join(likely)}' if likely else ''
        raise DataError(f'expected at most {LARGEST_M} m across, to stand on a table, got {across:.4g} m{hint}')
    if len(asset.triangles) > MOST_TRIANGLES:
        raise DataError(f'expected at most {MOST_TRIANGLES} triangles, got {len(asset.triangles)}: simplify it')
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
    thing = Thing(
        caption,
        Mesh(vertices.astype(float), uv.astype(float), asset.triangles),
        (Collider('mesh', points=hull),),
        float(size[2]),
        2 * float(size[:2].min()),
        side=True,
    )
    return Look(thing, replace(asset, vertices=vertices, uv=uv, texture=texture), caption)


def chooser(library: Sequence[LibraryMesh], share: float) -> Callable[[Draws, int, int], tuple[Look, ...]]:
    """Draws a scene's things: each with this probability one of the library, else one of ours."""

    def choose(draws: Draws, count: int, texture: int) -> tuple[Look, ...]:
        drawn = [
            draws.pick(library).look() if draws.chance(share) else draw_looks(draws, 1, texture)[0]
            for _ in range(count)
        ]
        return tuple(
            replace(look, asset=replace(look.asset, id=f'thing_{number}')) for number, look in enumerate(drawn)
        )

    return choose
