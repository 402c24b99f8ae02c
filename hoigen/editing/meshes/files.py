"""The process that reads a mesh file of anyone's making: ``python -m hoigen.editing.meshes.files PATH`` within limits.

It writes numpy arrays to its output, or one that says what failed; nothing is unpickled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from hoigen.editing.meshes import gltf, obj
from hoigen.editing.meshes.looks import Part, joined
from hoigen.untrusted.arrays import limited, send_arrays
from hoigen.untrusted.beside import Beside, MeshError, texels
from hoigen.untrusted.limits import Limits

MOST_TRIANGLES = 1_000_000
LONGEST = 200
"""Characters of a parser's words that are reported."""
GLTF_AXES = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""glTF has up +y and front +z; ours are up +z and front +x."""


def read(path: Path) -> dict[str, np.ndarray]:
    """vertices [V,3] float32 in the file's unit, triangles [F,3] int32 and, where the file gives the mesh a look, uv
    [V,2] float32 and texture [h,w,3] uint8 as :class:`MeshAsset` has them.

    All parts of a scene are one mesh, where the scene puts them. Without an opacity: all is opaque. glTF's linear
    colours become those of pictures. ValueError says what is wrong with the file.
    """
    kind, content = path.suffix.lower(), path.read_bytes()
    try:
        parts = list(READERS[kind](content, Beside(path), MOST_TRIANGLES))
    except (MemoryError, MeshError):
        raise
    except Exception as error:  # whatever a parser meets in a file that is not what it says
        raise MeshError(f'expected a whole {kind[1:].upper()} file, got {_fault(error)}') from None
    if not parts:
        raise MeshError(f'expected a mesh with triangles, got {_without_faces(content)}')
    for part in parts:
        _refuse_bad(part)
    if any(part.uv is not None or part.colours is not None for part in parts):
        corners, *look = joined(parts)
    else:
        corners, look = np.concatenate([part.corners for part in parts]), []
    return _indexed(corners @ GLTF_AXES.T if kind in ('.glb', '.gltf') else corners, *look)


def _fault(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f'one that lacks {error}'
    return f'a damaged one: {" ".join(str(error).split())[:LONGEST] or type(error).__name__}'


def _without_faces(content: bytes) -> str:
    splat = content[:4] == b'ply\n' and b' f_dc_0' in content[:4096]
    return (
        'a Gaussian splat, which has no surface: make a mesh of it'
        if splat
        else 'no faces (a cloud of points, lines, or a file cut short)'
    )


def _refuse_bad(part: Part) -> None:
    bad = int((~np.isfinite(part.corners).all(-1)).sum())
    if bad:
        raise MeshError(f'expected finite vertices, got {bad} NaN or infinite of {part.corners.size // 3}')
    if part.uv is not None and not np.isfinite(part.uv).all():
        raise MeshError(
            f'expected finite uv, got {int((~np.isfinite(part.uv)).sum())} NaN or infinite of {part.uv.size}'
        )


class _Texture:
    """What trimesh asks for the texture of a PLY; its faults are kept, which trimesh would pass over."""

    def __init__(self, beside: Beside) -> None:
        self.beside = beside
        self.image: np.ndarray | None = None
        self.fault: MeshError | None = None

    def get(self, name: str) -> bytes:
        try:
            content = self.beside.get(name)
            self.image = texels(content, name)
        except MeshError as error:
            self.fault = error
            raise
        return content


def _by_trimesh(content: bytes, beside: Beside, most: int, kind: str) -> list[Part]:
    texture = _Texture(beside)
    mesh = trimesh.load(BytesIO(content), file_type=kind, resolver=texture, process=False)
    if texture.fault is not None:
        raise texture.fault
    faces = np.asarray(getattr(mesh, 'faces', ()))
    if not len(faces):
        return []
    if len(faces) > most:
        raise MeshError(f'expected at most {most} triangles, got {len(faces)}: simplify it')
    low, high, count = int(faces.min()), int(faces.max()), len(mesh.vertices)
    if low < 0 or high >= count:
        raise MeshError(f'expected triangles of vertices 0 to {count - 1}, got {low if low < 0 else high}')
    corners = np.asarray(mesh.vertices, float)[faces]
    if texture.image is not None and mesh.visual.uv is not None:
        return [Part(corners, np.asarray(mesh.visual.uv, float)[faces], texture.image)]
    colours = _colours(mesh)
    return [
        Part(
            corners,
            colours=None
            if colours is None
            else colours[faces]
            if mesh.visual.kind != 'face'
            else colours[:, None].repeat(3, 1),
        )
    ]


def _colours(mesh: Any) -> np.ndarray | None:
    """uint8 of the file's own numbers, for vertices [V,3] or faces [F,3]: integers of 8 or 16 bits, or floats to 1."""
    kind = mesh.visual.kind
    if kind not in ('vertex', 'face'):
        return None
    held = mesh.metadata['_ply_raw'][kind]['data']
    given = np.stack([np.asarray(held[name]).reshape(-1) for name in ('red', 'green', 'blue')], -1)
    scale = {'f': 255.0 if given.max() <= 1 else 1.0, 'u': 255 / np.iinfo(np.uint16).max}
    whole = given.dtype.kind if given.dtype.kind == 'f' or given.dtype == np.uint16 else ''
    return np.round(np.clip(given * scale.get(whole, 1.0), 0, 255)).astype(np.uint8)


READERS: dict[str, Callable[[bytes, Beside, int], Iterable[Part]]] = {
    '.glb': gltf.parts_of,
    '.gltf': gltf.parts_of,
    '.obj': obj.parts_of,
    '.ply': lambda content, beside, most: _by_trimesh(content, beside, most, 'ply'),
    '.stl': lambda content, beside, most: _by_trimesh(content, beside, most, 'stl'),
}
"""By the file's ending: from its content, what lies beside it and the most triangles, its parts."""


def _indexed(
    corners: np.ndarray, uv: np.ndarray | None = None, texture: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Corners [F,3,3] as vertices and triangles, without those that have no area; equal corners are one vertex.

    The triangles of a mesh that is inside out are turned over: its volume is negative.
    """
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    solid = np.linalg.norm(sides, axis=1) > 0
    if not solid.any():
        raise ValueError(f'expected triangles with an area, got {len(corners)} without')
    rows = corners if uv is None else np.concatenate([corners, uv], -1)
    if ((corners[:, 0] - corners.mean((0, 1))) * sides).sum() < 0:
        rows = rows[:, ::-1]
    rows, triangles = np.unique(rows[solid].reshape(-1, rows.shape[-1]).astype(np.float32), axis=0, return_inverse=True)
    found = {'vertices': rows[:, :3], 'triangles': triangles.reshape(-1, 3).astype(np.int32)}
    if uv is None or texture is None:
        return found
    return found | {'uv': rows[:, 3:], 'texture': texture}


def main() -> None:
    pipe = limited()
    try:
        found: dict[str, Any] = read(Path(sys.argv[1]))
    except (ValueError, OSError) as error:
        found = {'failed': np.array(str(error))}
    except MemoryError:
        found = {'failed': np.array(f'reading it needs more than the {Limits.memory_mb} MB it may use')}
    send_arrays(pipe, found)


if __name__ == '__main__':
    main()
