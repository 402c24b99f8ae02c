"""Wavefront OBJ and MTL: faces of any size with their texture, colour of a material, or colours of vertices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hoigen.editing.meshes.looks import Part, solid
from hoigen.untrusted.beside import Beside, MeshError, texels

NUMBER = r'[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?'
OPTION = re.compile(rf'-(\w+)((?:\s+(?:{NUMBER}|on|off)(?=\s))*)\s+')
HARMLESS = ('blendu', 'blendv', 'bm', 'boost', 'texres')
"""Options of a texture that change no colour where it is seen whole."""


@dataclass
class _Material:
    """colour: [3] 0 to 1, and the name of a texture, None if not given; scale and offset [2] of uv in it."""

    colour: list[float] | None = None
    image: str | None = None
    scale: list[float] = field(default_factory=lambda: [1.0, 1.0])
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0])


@dataclass
class _Faces:
    """Triangles of one material, all with places in the texture or all without: rows of v, and of vt."""

    corners: list[tuple[int, int, int]] = field(default_factory=list)
    texture: list[tuple[int, int, int]] = field(default_factory=list)


def parts_of(content: bytes, beside: Beside, most: int) -> list[Part]:
    """The parts of an OBJ file, corners in the file's unit; MeshError for more than ``most`` triangles.

    A negative index counts back from the last element before its line. Faces are fans of their first corner. A texture
    is not multiplied by the material's colour, as exporters write any colour beside one.
    """
    vertices: list[list[float]] = []
    places: list[list[float]] = []
    materials: dict[str, _Material] = {}
    groups: dict[tuple[str, bool], _Faces] = {}
    material, count = '', 0
    for line in _lines(content):
        key, _, rest = line.partition(' ')
        if key == 'v':
            vertices.append([float(word) for word in rest.split()])
        elif key == 'vt':
            places.append([float(word) for word in rest.split()[:2]])
        elif key == 'f':
            rows = [_corner(word, len(vertices), len(places)) for word in rest.split()]
            textured = all(vt is not None for _, vt in rows)
            faces = groups.setdefault((material, textured), _Faces())
            count += max(0, len(rows) - 2)
            if count > most:
                raise MeshError(f'expected at most {most} triangles, got more: simplify it')
            for second, third in pairwise(rows[1:]):
                faces.corners.append((rows[0][0], second[0], third[0]))
                if textured:
                    faces.texture.append((rows[0][1] or 0, second[1] or 0, third[1] or 0))
        elif key == 'usemtl':
            material = rest.strip()
        elif key == 'mtllib':
            for name in [rest] if rest.lower().count('.mtl') < 2 else rest.split():
                materials |= _materials(beside.get(name))
    return _parts(vertices, places, materials, groups, beside)


def _lines(content: bytes) -> Iterator[str]:
    """The lines without what is spread over several."""
    text = content.decode('utf-8', errors='replace').replace('\r\n', '\n').replace('\\\n', ' ')
    for line in text.split('\n'):
        words = line.replace('\t', ' ').strip()
        if words and not words.startswith('#'):
            yield words


def _corner(word: str, vertices: int, places: int) -> tuple[int, int | None]:
    """Rows of v and vt, from 0; of vt None where the face has none."""
    numbers = word.split('/')
    return _row(numbers[0], vertices, 'vertices'), (
        _row(numbers[1], places, 'vt') if len(numbers) > 1 and numbers[1] else None
    )


def _row(number: str, known: int, kind: str) -> int:
    row = int(number)
    if row == 0 or row < -known:
        raise MeshError(f'expected triangles of {kind} counted from 1, or back from -1 to -{known}, got {row}')
    return row - 1 if row > 0 else known + row


def _materials(content: bytes) -> dict[str, _Material]:
    found: dict[str, _Material] = {}
    current = _Material()
    for line in _lines(content):
        key, _, rest = line.partition(' ')
        if key.lower() == 'newmtl':
            current = found[rest.strip()] = _Material()
        elif key.lower() == 'kd':
            numbers = [float(word) for word in rest.split()]
            current.colour = (numbers * 3)[:3] if len(numbers) == 1 else numbers[:3]
        elif key.lower() == 'map_kd':
            _map(current, rest)
    return found


def _map(material: _Material, rest: str) -> None:
    """A texture's name after its options."""
    while option := OPTION.match(rest):
        name, words = option[1], option[2].split()
        if name in ('s', 'o'):
            values = [float(word) for word in words]
            values = values[:2] if len(values) > 1 else [*values, 1.0 if name == 's' else 0.0]
            material.scale, material.offset = (values, material.offset) if name == 's' else (material.scale, values)
        elif name not in HARMLESS and words != ['off']:
            raise MeshError(f'map_Kd: the option -{name} is not read: save it without')
        rest = rest[option.end() :]
    material.image = rest.strip()


def _parts(
    vertices: list[list[float]],
    places: list[list[float]],
    materials: dict[str, _Material],
    groups: dict[tuple[str, bool], _Faces],
    beside: Beside,
) -> list[Part]:
    xyz = np.array([row[:3] for row in vertices], float).reshape(-1, 3)
    uv, colours = np.array(places, float).reshape(-1, 2), _vertex_colours(vertices)
    for kind, known, used in (('vertices', len(xyz), 'corners'), ('vt', len(uv), 'texture')):
        highest = max((max(map(max, rows)) for faces in groups.values() if (rows := getattr(faces, used))), default=-1)
        if highest >= known:
            raise MeshError(f'expected triangles of {kind} 1 to {known}, got {highest + 1}')
    images = {
        name: texels(beside.get(material.image), material.image)
        for name, material in materials.items()
        if material.image is not None and (name, True) in groups
    }
    made = []
    for (name, textured), faces in groups.items():
        if not faces.corners:
            continue
        rows = np.array(faces.corners)
        material = materials.get(name, _Material())
        if textured and name in images:
            there = uv * material.scale + material.offset
            made.append(Part(xyz[rows], there[np.array(faces.texture)], images[name]))
        elif colours is not None:
            made.append(Part(xyz[rows], colours=colours[rows]))
        elif material.colour is not None:
            made.append(solid(xyz[rows], np.round(255 * np.clip(material.colour, 0, 1)).astype(np.uint8)))
        else:
            made.append(Part(xyz[rows]))
    return made


def _vertex_colours(vertices: list[list[float]]) -> np.ndarray | None:
    """[V,3] uint8 of vertices that are followed by red, green and blue, of 1 or of 255."""
    if not vertices or min(map(len, vertices)) < 6:
        return None
    colours = np.array([row[3:6] for row in vertices])
    return np.round(np.clip(colours * (255 if colours.max() <= 1 else 1), 0, 255)).astype(np.uint8)
