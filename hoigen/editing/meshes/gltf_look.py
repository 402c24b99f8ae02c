"""The base colour of glTF's primitives: texture, factor and colours of vertices multiplied, in linear light."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from hoigen.editing.meshes.looks import Part, linear, shown, solid
from hoigen.untrusted.beside import MeshError, not_read, texels
from hoigen.untrusted.gltf_file import Gltf

CLAMP, MIRROR, REPEAT = 33071, 33648, 10497
PADDINGS: dict[int, Literal['edge', 'symmetric']] = {CLAMP: 'edge', MIRROR: 'symmetric'}
MOST_TILES = 8
"""A texture that is not repeated is continued at most so many times its size."""
SAME = 1 / 512
"""Colours of vertices that differ by less are one colour."""


class Looks:
    """Makes the parts of a file; primitives of one material share its image."""

    def __init__(self, file: Gltf) -> None:
        self.file = file
        self._made: dict[object, np.ndarray] = {}

    def part(self, corners: np.ndarray, triangles: np.ndarray, primitive: dict[str, Any]) -> Part:
        """A primitive's triangles [F,3] with corners [F,3,3] in the scene."""
        colours = self._colours(primitive, triangles)
        if 'material' not in primitive:
            return Part(corners) if colours is None else Part(corners, colours=shown(colours))
        texture, factor = self._base(self.file.document['materials'][primitive['material']])
        if texture is None:
            if colours is not None:
                return Part(corners, colours=shown(colours * factor))
            made = solid(corners, shown(factor))
            return Part(corners, made.uv, self._kept(('solid', *factor), lambda: made.image))
        if colours is not None:
            if np.ptp(colours, axis=(0, 1)).max() > SAME:
                raise MeshError('COLOR_0 that varies over a texture is not read: bake it into the texture')
            factor = factor * colours[0, 0]
        return self._textured(corners, triangles, primitive, texture, factor)

    def _colours(self, primitive: dict[str, Any], triangles: np.ndarray) -> np.ndarray | None:
        """[F,3,3] float64 linear colours of corners, if any."""
        if 'COLOR_0' not in primitive['attributes']:
            return None
        return self.file.values(primitive['attributes']['COLOR_0'])[:, :3].astype(float)[triangles]

    def _base(self, material: dict[str, Any]) -> tuple[dict[str, Any] | None, np.ndarray]:
        """The texture and the factor [3] of a material's base colour."""
        glossy = material.get('extensions', {}).get('KHR_materials_pbrSpecularGlossiness')
        pbr, name = (material.get('pbrMetallicRoughness', {}), 'baseColor') if glossy is None else (glossy, 'diffuse')
        return pbr.get(f'{name}Texture'), np.array(pbr.get(f'{name}Factor', (1, 1, 1, 1)), float)[:3]

    def _textured(
        self,
        corners: np.ndarray,
        triangles: np.ndarray,
        primitive: dict[str, Any],
        use: dict[str, Any],
        factor: np.ndarray,
    ) -> Part:
        document = self.file.document
        transform = use.get('extensions', {}).get('KHR_texture_transform', {})
        name = f'TEXCOORD_{transform.get("texCoord", use.get("texCoord", 0))}'
        if name not in primitive['attributes']:
            raise MeshError(f'expected {name}, by which its texture is put on it, got none')
        places = self.file.values(primitive['attributes'][name]).astype(float) * transform.get('scale', (1, 1))
        angle = transform.get('rotation', 0.0)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        places = (places @ turn.T + transform.get('offset', (0, 0)))[triangles]
        if not np.isfinite(places).all():
            raise MeshError(f'expected finite {name}, got NaN or infinite ones')
        texture = document['textures'][use['index']]
        sampler = document['samplers'][texture['sampler']] if 'sampler' in texture else {}
        source = _source(texture)
        image = self._kept((source, *factor), lambda: self._image(source, factor))
        for axis, key in enumerate(('wrapS', 'wrapT')):
            wrap = sampler.get(key, REPEAT)
            if wrap in PADDINGS and (places[..., axis].min() < -SAME or places[..., axis].max() > 1 + SAME):
                image, places = _continued(image, places, axis, wrap)
        return Part(corners, np.stack([places[..., 0], 1 - places[..., 1]], -1), image)

    def _image(self, source: int, factor: np.ndarray) -> np.ndarray:
        """[h,w,3] uint8: an image multiplied by a factor [3]."""
        image = self.file.document['images'][source]
        content = self.file.uri(image['uri']) if 'uri' in image else self.file.view(image['bufferView'])
        found = texels(content, f'texture {source}')
        if (factor == 1).all():
            return found
        table = shown(linear(np.arange(256) / 255)[:, None] * factor)
        return np.stack([table[found[..., channel], channel] for channel in range(3)], -1)

    def _kept(self, key: object, make: Any) -> np.ndarray:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _source(texture: dict[str, Any]) -> int:
    """The image of a texture; one that only an extension names is not read, but for WebP."""
    extensions = texture.get('extensions', {})
    if 'source' in texture:
        return int(texture['source'])
    if 'EXT_texture_webp' in extensions:
        return int(extensions['EXT_texture_webp']['source'])
    raise not_read(next(iter(extensions))) if extensions else MeshError('expected an image of each texture, got none')


def _continued(image: np.ndarray, places: np.ndarray, axis: int, wrap: int) -> tuple[np.ndarray, np.ndarray]:
    """The image and its places [F,3,2] (v down) with whole images beyond its edges, clamped or mirrored."""
    low, high = int(np.floor(places[..., axis].min())), int(np.ceil(places[..., axis].max()))
    low, high = min(low, 0), max(high, 1)
    if high - low > MOST_TILES:
        raise MeshError(
            f'a texture that is clamped or mirrored over {high - low} times its size is not read: at most {MOST_TILES}'
        )
    size = image.shape[1 - axis]
    padding = [(0, 0)] * 3
    padding[1 - axis] = (-low * size, (high - 1) * size)
    places = places.copy()
    places[..., axis] = (places[..., axis] - low) / (high - low)
    return np.pad(image, padding, mode=PADDINGS[wrap]), places
