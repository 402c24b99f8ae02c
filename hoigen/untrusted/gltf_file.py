"""A glTF document with the buffers and accessors that it names."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np

from hoigen.untrusted.beside import Beside, MeshError, not_read

TYPES = {5120: 'i1', 5121: 'u1', 5122: 'i2', 5123: 'u2', 5125: 'u4', 5126: 'f4'}
WIDTHS = {'SCALAR': 1, 'VEC2': 2, 'VEC3': 3, 'VEC4': 4, 'MAT4': 16}
HEADER, CHUNK = struct.Struct('<4sII'), struct.Struct('<I4s')


@dataclass
class Gltf:
    """A file's document and the data that it names."""

    document: dict[str, Any]
    binary: bytes | None
    beside: Beside
    _buffers: dict[int, bytes] = field(default_factory=dict)

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.document['bufferViews'][index]
        start, size = view.get('byteOffset', 0), view['byteLength']
        buffer = self._buffer(view['buffer'], next(iter(view.get('extensions', {})), ''))
        if start < 0 or start + size > len(buffer):
            raise MeshError(f'bufferView {index}: expected {size} bytes from byte {start} on, got {len(buffer)} in all')
        return buffer[start : start + size]

    def uri(self, uri: str) -> bytes:
        """The content of a data URI or of a file beside."""
        if uri.startswith('data:'):
            head, _, content = uri.partition(',')
            return base64.b64decode(content, validate=True) if head.endswith(';base64') else unquote(content).encode()
        return self.beside.get(unquote(uri))

    def _buffer(self, index: int, extension: str) -> bytes:
        if index not in self._buffers:
            buffer = self.document['buffers'][index]
            if 'uri' in buffer:
                self._buffers[index] = self.uri(buffer['uri'])
            elif index == 0 and self.binary is not None:
                self._buffers[index] = self.binary
            elif extension:
                raise not_read(extension)
            else:
                raise MeshError(f'buffer {index}: expected a uri or a binary chunk, got neither')
        return self._buffers[index]

    def values(self, index: int, extension: str = '') -> np.ndarray:
        """[N,width] of an accessor, normalised integers as float64; extension: what holds its data if it has none."""
        accessor = self.document['accessors'][index]
        count, width = int(accessor['count']), WIDTHS[accessor['type']]
        kind, sparse = np.dtype('<' + TYPES[accessor['componentType']]), accessor.get('sparse')
        if 'bufferView' in accessor:
            stride = self.document['bufferViews'][accessor['bufferView']].get('byteStride')
            found = self._array(accessor['bufferView'], accessor.get('byteOffset', 0), kind, (count, width), stride)
        elif sparse is None:
            raise not_read(extension) if extension else MeshError(f'accessor {index}: expected data, got none')
        else:
            found = np.zeros((count, width), kind)
        if sparse is not None:
            found, rows, given = found.copy(), sparse['indices'], sparse['values']
            where = self._array(
                rows['bufferView'],
                rows.get('byteOffset', 0),
                np.dtype('<' + TYPES[rows['componentType']]),
                (sparse['count'], 1),
            )
            found[where[:, 0]] = self._array(
                given['bufferView'], given.get('byteOffset', 0), kind, (sparse['count'], width)
            )
        if accessor.get('normalized') and kind.kind in 'iu':
            return np.maximum(found / np.iinfo(kind).max, -1.0)
        return found

    def _array(
        self, view: int, offset: int, kind: np.dtype, shape: tuple[int, int], stride: int | None = None
    ) -> np.ndarray:
        content, size = self.view(view), kind.itemsize * shape[1]
        needed = offset + (shape[0] - 1) * (stride or size) + size if shape[0] else 0
        if offset < 0 or shape[0] < 0 or needed > len(content):
            raise MeshError(f'bufferView {view}: expected {needed} bytes of accessors in it, got {len(content)}')
        return np.ndarray(shape, kind, content, offset, (stride or size, kind.itemsize))


def opened(content: bytes, beside: Beside) -> Gltf:
    """A GLB's or glTF's document; MeshError where it is not whole or not of version 2."""
    document, binary = _chunks(content) if content[:4] == b'glTF' else (json.loads(content), None)
    if not str(document['asset']['version']).startswith('2.'):
        raise MeshError(f'expected glTF 2, got version {document["asset"]["version"]}')
    return Gltf(document, binary, beside)


def _chunks(content: bytes) -> tuple[dict[str, Any], bytes | None]:
    _, version, length = HEADER.unpack_from(content)
    if version != 2:
        raise MeshError(f'expected a whole GLB file of version 2, got version {version}')
    if length > len(content):
        raise MeshError(f'expected a whole GLB file of {length} bytes, got {len(content)}')
    found: dict[bytes, bytes] = {}
    start = HEADER.size
    while start + CHUNK.size <= length:
        size, kind = CHUNK.unpack_from(content, start)
        start += CHUNK.size
        if start + size > length:
            raise MeshError(f'expected a whole GLB file, got {length - start} of {size} bytes of a chunk')
        found.setdefault(kind, content[start : start + size])
        start += size
    return json.loads(found[b'JSON']), found.get(b'BIN\0')
