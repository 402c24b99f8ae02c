"""glTF 2.0 as its specification says: shape at rest and base colour; what else would change them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.editing.meshes.gltf_look import Looks
from hoigen.editing.meshes.looks import Part
from hoigen.untrusted.beside import Beside, MeshError, not_read
from hoigen.untrusted.gltf_file import Gltf, opened

READ = (
    'KHR_mesh_quantization',
    'KHR_texture_transform',
    'EXT_texture_webp',
    'KHR_materials_',
    'KHR_lights_',
    'KHR_xmp',
    'KHR_animation_pointer',
)
"""Extensions, by how they begin, that are read or change neither shape nor base colour."""
TRIANGLES, STRIP, FAN = 4, 5, 6


def parts_of(content: bytes, beside: Beside, most: int) -> Iterator[Part]:
    """The parts of a GLB's or glTF's scene where it puts them, in its own axes and unit.

    Skins and morphs are as they are at rest; animations, opacity and everything of a material but its base colour are
    left out. MeshError names an extension or a layout that is not read, and more than ``most`` triangles.
    """
    file = opened(content, beside)
    for name in file.document.get('extensionsRequired', []):
        if not name.startswith(READ):
            raise not_read(name)
    return _Scene(file, Looks(file), most).parts()


@dataclass(frozen=True, eq=False)
class _Scene:
    """The nodes of the scene that is shown."""

    file: Gltf
    looks: Looks
    most: int

    def parts(self) -> Iterator[Part]:
        nodes, placed, left = self.file.document.get('nodes', []), self._placed(), self.most
        for number in self._shown(nodes):
            node = nodes[number]
            if 'mesh' not in node:
                continue
            if 'EXT_mesh_gpu_instancing' in node.get('extensions', {}):
                raise not_read('EXT_mesh_gpu_instancing')
            mesh = self.file.document['meshes'][node['mesh']]
            for primitive in mesh['primitives']:
                if primitive.get('mode', TRIANGLES) not in (TRIANGLES, STRIP, FAN):
                    continue  # points and lines
                triangles = self._triangles(primitive)
                left -= len(triangles)
                if left < 0:
                    raise MeshError(f'expected at most {self.most} triangles, got more: simplify it')
                vertices = self._vertices(primitive, node, mesh, placed, number)
                if len(triangles):
                    yield self.looks.part(vertices[triangles], triangles, primitive)

    def _shown(self, nodes: list[dict[str, Any]]) -> Iterator[int]:
        """The numbers of the nodes in the scene, each once."""
        document = self.file.document
        scenes = document.get('scenes')
        open_ = list(
            scenes[document.get('scene', 0)].get('nodes', [])
            if scenes
            else sorted(set(range(len(nodes))) - {child for node in nodes for child in node.get('children', [])})
        )
        seen = set()
        while open_:
            number = open_.pop()
            if number in seen:
                raise MeshError(f'node {number}: expected a tree of nodes, got it twice')
            seen.add(number)
            open_ += nodes[number].get('children', [])
            yield number

    def _placed(self) -> list[np.ndarray]:
        """[4,4] of every node: from its own coordinates to the scene's."""
        nodes = self.file.document.get('nodes', [])
        parent = {child: number for number, node in enumerate(nodes) for child in node.get('children', [])}
        own, found = [_own(node) for node in nodes], []
        for number in range(len(nodes)):
            total, above, steps = own[number], parent.get(number), 0
            while above is not None:
                total, above, steps = own[above] @ total, parent.get(above), steps + 1
                if steps > len(nodes):
                    raise MeshError(f'node {number}: expected a tree of nodes, got a ring')
            found.append(total)
        return found

    def _triangles(self, primitive: dict[str, Any]) -> np.ndarray:
        """[F,3] int64 rows of vertices."""
        extension = _compression(primitive)
        count = int(self.file.document['accessors'][primitive['attributes']['POSITION']]['count'])
        rows = (
            self.file.values(primitive['indices'], extension)[:, 0].astype(np.int64)
            if 'indices' in primitive
            else np.arange(count)
        )
        if len(rows) and rows.max() >= count:
            raise MeshError(f'expected triangles of vertices 0 to {count - 1}, got {rows.max()}')
        mode = primitive.get('mode', TRIANGLES)
        if mode == TRIANGLES:
            if len(rows) % 3:
                raise MeshError(f'expected three corners for each triangle, got {len(rows)} corners')
            return rows.reshape(-1, 3)
        i = np.arange(max(0, len(rows) - 2))
        if mode == STRIP:
            return rows[np.stack([i, i + 1 + i % 2, i + 2 - i % 2], 1)]
        return rows[np.stack([i + 1, i + 2, np.zeros_like(i)], 1)]

    def _vertices(
        self,
        primitive: dict[str, Any],
        node: dict[str, Any],
        mesh: dict[str, Any],
        placed: list[np.ndarray],
        number: int,
    ) -> np.ndarray:
        """[V,3] float64 in the scene, morphed and skinned as at rest; of a skin the joints place them, not the node."""
        attributes, extension = primitive['attributes'], _compression(primitive)
        vertices = self.file.values(attributes['POSITION'], extension).astype(float)
        for weight, target in zip(
            node.get('weights', mesh.get('weights', [])), primitive.get('targets', []), strict=False
        ):
            if weight and 'POSITION' in target:
                vertices = vertices + weight * self.file.values(target['POSITION'], extension)
        if 'skin' not in node or 'JOINTS_0' not in attributes:
            return vertices @ placed[number][:3, :3].T + placed[number][:3, 3]
        skin = self.file.document['skins'][node['skin']]
        moves = np.stack([placed[joint] for joint in skin['joints']])
        if 'inverseBindMatrices' in skin:
            moves = moves @ self.file.values(skin['inverseBindMatrices']).reshape(-1, 4, 4).swapaxes(1, 2)
        total, weighed = np.zeros_like(vertices), np.zeros((len(vertices), 1))
        for group in range(sum(name.startswith('JOINTS_') for name in attributes)):
            joints = self.file.values(attributes[f'JOINTS_{group}'], extension).astype(int)
            weights = self.file.values(attributes[f'WEIGHTS_{group}'], extension).astype(float)
            for joint, weight in zip(joints.T, weights.T, strict=True):
                here = moves[joint]
                total += weight[:, None] * (np.einsum('nij,nj->ni', here[:, :3, :3], vertices) + here[:, :3, 3])
                weighed += weight[:, None]
        if not (weighed > 0).all():
            raise MeshError(f'expected weights of joints > 0 at every vertex, got {int((weighed <= 0).sum())} without')
        return total / weighed


def _compression(primitive: dict[str, Any]) -> str:
    return next((name for name in primitive.get('extensions', {}) if name.endswith('_compression')), '')


def _own(node: dict[str, Any]) -> np.ndarray:
    """[4,4] of a node: from its coordinates to its parent's."""
    if 'matrix' in node:
        return np.array(node['matrix'], float).reshape(4, 4).T
    found = np.eye(4)
    turn = Rotation.from_quat(node.get('rotation', (0, 0, 0, 1))).as_matrix()
    found[:3, :3], found[:3, 3] = turn * node.get('scale', (1, 1, 1)), node.get('translation', (0, 0, 0))
    return found
