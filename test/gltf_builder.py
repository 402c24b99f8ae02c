"""Small glTF files written by hand, so that a test knows every byte that they say."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

__all__ = ['QUAD', 'QUAD_UV', 'Builder', 'png']

QUAD = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
"""A square in glTF's xy plane: in our frame its x is y and its y is z."""
QUAD_UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
"""The whole image on it, its upper edge at y = 1 (v goes down)."""
ROWS = np.array([0, 1, 2, 0, 2, 3], np.uint16)
CODES = {'int8': 5120, 'uint8': 5121, 'int16': 5122, 'uint16': 5123, 'uint32': 5125, 'float32': 5126}
WIDTHS = {1: 'SCALAR', 2: 'VEC2', 3: 'VEC3', 4: 'VEC4', 16: 'MAT4'}


def png(rows: list[list[tuple[int, int, int]]], kind: str = 'PNG', **options: Any) -> bytes:
    """An image file of these colours."""
    written = BytesIO()
    Image.fromarray(np.array(rows, np.uint8)).save(written, kind, **options)
    return written.getvalue()


class Builder:
    """A file with one mesh in one node; ``primitive`` adds to it."""

    def __init__(self) -> None:
        self.binary = b''
        self.json: dict[str, Any] = {
            'asset': {'version': '2.0'},
            'scene': 0,
            'scenes': [{'nodes': [0]}],
            'nodes': [{'mesh': 0}],
            'meshes': [{'primitives': []}],
            'accessors': [],
            'bufferViews': [],
        }

    def view(self, content: bytes, **more: Any) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        place = {'buffer': 0, 'byteOffset': len(self.binary), 'byteLength': len(content)}
        self.json['bufferViews'].append(place | more)
        self.binary += content
        return len(self.json['bufferViews']) - 1

    def accessor(self, values: np.ndarray, **more: Any) -> int:
        width = values.shape[1] if values.ndim > 1 else 1
        self.json['accessors'].append(
            {
                'bufferView': self.view(values.tobytes()),
                'count': len(values),
                'componentType': CODES[values.dtype.name],
                'type': WIDTHS[width],
            }
            | more
        )
        return len(self.json['accessors']) - 1

    def primitive(
        self, positions: np.ndarray = QUAD, rows: np.ndarray | None = ROWS, mode: int = 4, **attributes: int
    ) -> dict[str, Any]:
        made: dict[str, Any] = {'mode': mode, 'attributes': {'POSITION': self.accessor(positions)} | attributes}
        if rows is not None:
            made['indices'] = self.accessor(rows)
        self.json['meshes'][0]['primitives'].append(made)
        return made

    def material(
        self, image: bytes | None = None, factor: tuple[float, ...] | None = None, sampler: Any = None, **texture: Any
    ) -> int:
        base: dict[str, Any] = {} if factor is None else {'baseColorFactor': factor}
        if image is not None:
            images, textures = self.json.setdefault('images', []), self.json.setdefault('textures', [])
            images.append({'bufferView': self.view(image), 'mimeType': 'image/png'})
            textures.append({'source': len(images) - 1})
            if sampler is not None:
                self.json['samplers'] = [sampler]
                textures[-1]['sampler'] = 0
            base['baseColorTexture'] = {'index': len(textures) - 1} | texture
        self.json.setdefault('materials', []).append({'pbrMetallicRoughness': base})
        return len(self.json['materials']) - 1

    def require(self, *extensions: str) -> None:
        self.json['extensionsUsed'] = self.json['extensionsRequired'] = list(extensions)

    def glb(self) -> bytes:
        self.json['buffers'] = [{'byteLength': len(self.binary)}]
        head = json.dumps(self.json).encode()
        chunks = b''.join(
            struct.pack('<I4s', len(part), kind) + part
            for part, kind in (
                (head + b' ' * (-len(head) % 4), b'JSON'),
                (self.binary + bytes(-len(self.binary) % 4), b'BIN\0'),
            )
        )
        return struct.pack('<4sII', b'glTF', 2, 12 + len(chunks)) + chunks
