"""The process that reads a mesh file of anyone's making: ``python -m hoigen.editing.meshes.files PATH`` within limits.

It writes numpy arrays to its output, or one that says what failed; nothing is unpickled.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import trimesh
from PIL import Image
from trimesh.resolvers import FilePathResolver
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from hoigen.editing.meshes.looks import Part, joined
from hoigen.sources.recording.child import limit
from hoigen.sources.recording.options import Limits

__all__ = ['read']

MOST_TRIANGLES = 1_000_000
PLAIN = 180
"""The grey of parts without a look, in a mesh whose other parts have one."""
GLTF_AXES = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""glTF has up +y and front +z; ours are up +z and front +x."""
UNSAID = SimpleMaterial().diffuse


class _Beside(FilePathResolver):
    """Finds files beside the mesh, never elsewhere, and remembers those that are not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.lacking: list[str] = []

    def get(self, name: str) -> bytes:
        try:
            return super().get(name)
        except Exception:
            self.lacking.append(str(name))
            raise


def read(path: Path) -> dict[str, np.ndarray]:
    """vertices [V,3] float32 in the file's unit, triangles [F,3] int32 and, where the file gives the mesh a look, uv
    [V,2] float32 and texture [h,w,3] uint8 as :class:`MeshAsset` has them.

    All parts of a scene are one mesh, where the scene puts them. Without an opacity: all is opaque. glTF's linear
    colours become those of pictures. ValueError says what is wrong with the file.
    """
    kind, beside = path.suffix.lower().lstrip('.'), _Beside(path)
    with path.open('rb') as stream:
        meshes = [mesh for mesh in _opened(stream, kind, beside) if len(getattr(mesh, 'faces', ()))]
    if beside.lacking:
        raise ValueError(f'expected the file {beside.lacking[0]!r} that it refers to beside it, got none')
    if not meshes:
        raise ValueError('expected a mesh with triangles, got no faces (a cloud of points, lines, or a file cut short)')
    count = sum(len(mesh.faces) for mesh in meshes)
    if count > MOST_TRIANGLES:
        raise ValueError(f'expected at most {MOST_TRIANGLES} triangles, got {count}: simplify it')
    for mesh in meshes:
        _refuse_bad(np.asarray(mesh.vertices, float), np.asarray(mesh.faces))
    looks = [_look(mesh, kind == 'glb') for mesh in meshes]
    corners = [_turned(np.asarray(mesh.vertices, float)[mesh.faces], kind) for mesh in meshes]
    if not any(looks):
        return _indexed(np.concatenate(corners))
    return _indexed(*joined([Part(place, **(look or _plain(place))) for place, look in
                             zip(corners, looks, strict=True)]))


def _opened(stream: BinaryIO, kind: str, beside: _Beside) -> list[Any]:
    try:
        return trimesh.load_scene(stream, file_type=kind, resolver=beside, process=False).dump(concatenate=False)
    except MemoryError:
        raise
    except Exception as error:  # whatever a parser raises on a file that is not what it says
        if beside.lacking:
            return []
        raise ValueError(f'expected a whole {kind.upper()} file, got: {error or type(error).__name__}') from None


def _refuse_bad(vertices: np.ndarray, triangles: np.ndarray) -> None:
    bad = int((~np.isfinite(vertices).all(1)).sum())
    if bad:
        raise ValueError(f'expected finite vertices, got {bad} NaN or infinite of {len(vertices)}')
    low, high = int(triangles.min()), int(triangles.max())
    if low < 0 or high >= len(vertices):
        raise ValueError(f'expected triangles of vertices 0 to {len(vertices) - 1}, got {low if low < 0 else high}')


def _look(mesh: trimesh.Trimesh, linear: bool) -> dict[str, np.ndarray] | None:
    """uv and image, or colours; None where the file says nothing of it."""
    visual = mesh.visual
    if visual.kind in ('vertex', 'face'):
        given = visual.vertex_colors[mesh.faces] if visual.kind == 'vertex' else \
            visual.face_colors[:, None].repeat(3, 1)
        return {'colours': _shown(np.asarray(given)[..., :3], linear)}
    if visual.kind != 'texture':
        return None
    material = visual.material
    image = material.baseColorTexture if isinstance(material, PBRMaterial) else getattr(material, 'image', None)
    factor = material.baseColorFactor if isinstance(material, PBRMaterial) else getattr(material, 'diffuse', None)
    colour = None if factor is None else _shown(np.asarray(factor, np.uint8)[:3], linear)
    if image is not None and visual.uv is not None:
        texels = _texels(image)
        if colour is not None and isinstance(material, PBRMaterial):
            texels = (texels.astype(np.uint16) * colour // 255).astype(np.uint8)
        uv = np.asarray(visual.uv, float)[mesh.faces]
        if not np.isfinite(uv).all():
            raise ValueError(f'expected finite uv, got {int((~np.isfinite(uv)).sum())} NaN or infinite of {uv.size}')
        return {'uv': uv, 'image': texels}
    if colour is None or (isinstance(material, SimpleMaterial) and np.array_equal(factor, UNSAID)):
        return None
    return {'uv': np.full((len(mesh.faces), 3, 2), 0.5), 'image': np.full((2, 2, 3), colour, np.uint8)}


def _texels(image: Image.Image) -> np.ndarray:
    most = Limits().pixels
    if image.width * image.height > most:
        raise ValueError(f'expected textures of at most {most} pixels, got {image.width}x{image.height}')
    try:
        return np.array(image.convert('RGB'))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f'expected a whole texture, got: {error}') from None


def _shown(colour: np.ndarray, linear: bool) -> np.ndarray:
    """8 bit colours as pictures have them (sRGB), of linear light or as they are."""
    if not linear:
        return colour.astype(np.uint8)
    light = colour / 255
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
                    ).astype(np.uint8)


def _plain(corners: np.ndarray) -> dict[str, np.ndarray]:
    return {'uv': np.full((len(corners), 3, 2), 0.5), 'image': np.full((2, 2, 3), PLAIN, np.uint8)}


def _turned(corners: np.ndarray, kind: str) -> np.ndarray:
    return corners @ GLTF_AXES.T if kind == 'glb' else corners


def _indexed(corners: np.ndarray, uv: np.ndarray | None = None, texture: np.ndarray | None = None
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
    pipe = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # what a library prints must not come between the bytes
    limits = Limits()
    limit(limits)
    try:
        found = read(Path(sys.argv[1]))
    except (ValueError, OSError) as error:
        found = {'failed': np.array(str(error))}
    except MemoryError:
        found = {'failed': np.array(f'reading it needs more than the {limits.memory_mb} MB it may use')}
    whole = BytesIO()
    np.savez(whole, **found)
    pipe.write(whole.getbuffer())
    pipe.close()


if __name__ == '__main__':
    main()
