"""In a child process with limits: the rig of a GLB or glTF file of anyone's making. ``rig_file.py PATH``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hoigen.perception.hands.rig import JOINTS
from hoigen.untrusted.arrays import limited, send_arrays
from hoigen.untrusted.beside import Beside, MeshError
from hoigen.untrusted.gltf_file import opened

TRIANGLES = 4


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a :class:`~hoigen.perception.hands.rig.Rig`."""
    file = opened(path.read_bytes(), Beside(path))
    nodes = file.document['nodes']
    skinned = [node for node in nodes if 'skin' in node and 'mesh' in node]
    parts = [part for node in skinned for part in file.document['meshes'][node['mesh']]['primitives']]
    if len(parts) != 1 or parts[0].get('mode', TRIANGLES) != TRIANGLES or 'indices' not in parts[0]:
        raise MeshError(f'expected one skinned mesh of triangles, got {len(parts)} parts')
    skin, attributes = file.document['skins'][skinned[0]['skin']], parts[0]['attributes']
    names = [nodes[number].get('name', '') for number in skin['joints']]
    if missing := [name for name in JOINTS if names.count(name) != 1]:
        raise MeshError(f'expected each joint once, got none or several of {", ".join(missing)}')
    binds = np.linalg.inv(file.values(skin['inverseBindMatrices']).astype(float).reshape(-1, 4, 4).swapaxes(1, 2))
    vertices = file.values(attributes['POSITION']).astype(float)
    weights = np.zeros((len(vertices), len(names)))
    for group in range(sum(name.startswith('JOINTS_') for name in attributes)):
        joints, shares = (file.values(attributes[f'{name}_{group}']) for name in ('JOINTS', 'WEIGHTS'))
        np.add.at(weights, (np.arange(len(vertices))[:, None], joints.astype(int)), shares)
    order = [names.index(name) for name in JOINTS]
    weights = weights[:, order]
    if not (weights.sum(1) > 0).all():
        raise MeshError(
            f'expected weights of joints > 0 at every vertex, got {int((weights.sum(1) <= 0).sum())} without'
        )
    return {
        'vertices': vertices,
        'triangles': file.values(parts[0]['indices'])[:, 0].astype(np.int32).reshape(-1, 3),
        'joints': binds[order, :3, 3],
        'weights': weights / weights.sum(1, keepdims=True),
    }


def main() -> None:
    pipe = limited()
    send_arrays(pipe, read(Path(sys.argv[1])))


if __name__ == '__main__':
    main()
