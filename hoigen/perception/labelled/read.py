"""In a child process with limits: the labels of one clip, as .npz on the pipe. ``read.py LAYOUT PATH``.

EgoDex: ``N.hdf5`` beside ``N.mp4``; ``camera/intrinsic`` [3,3] of 1920x1080, ``transforms/camera`` and
``transforms/JOINT`` [T,4,4] in one world, and, in part, ``confidences/JOINT`` [T].
DexYCB: a camera's folder of ``color_NNNNNN.jpg`` of 640x480 and ``labels_NNNNNN.npz``: ``seg`` [480,640] (255 the hand,
1 to 21 objects), ``joint_2d`` [1,21,2] pixels and ``joint_3d`` [1,21,3] metres in the camera's frame, -1 where unknown;
the sequence's ``meta.yml`` beside the folder has ``mano_sides``, ``ycb_ids`` and ``ycb_grasp_ind``, the one handled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import yaml

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.records.labels import SIDES
from hoigen.untrusted.arrays import limited, send_arrays

FINGERS = ('Thumb', 'IndexFinger', 'MiddleFinger', 'RingFinger', 'LittleFinger')
JOINTS = ('Knuckle', 'IntermediateBase', 'IntermediateTip', 'Tip')
LEAST_CONFIDENCE = 0.3
"""EgoDex's joints of less are not known."""
HAND_LABEL = 255


def egodex(path: Path) -> dict[str, np.ndarray]:
    import h5py  # only with the data sets that need it

    with h5py.File(path, 'r') as file:
        K = np.asarray(file['camera/intrinsic'], np.float64)
        to_camera = np.linalg.inv(np.asarray(file['transforms/camera'], np.float64))
        places = []
        for side in SIDES:
            names = [f'{side}Hand', *(f'{side}{finger}{joint}' for finger in FINGERS for joint in JOINTS)]
            world = np.stack([np.asarray(file[f'transforms/{name}'], np.float64)[:, :4, 3] for name in names], 1)
            own = np.einsum('tij,tkj->tki', to_camera, world)[..., :3]
            for k, name in enumerate(names):
                if f'confidences/{name}' in file:
                    own[np.asarray(file[f'confidences/{name}']) < LEAST_CONFIDENCE, k] = np.nan
            places.append(own)
    seen = np.stack(places, 1)
    seen[seen[..., 2] <= 0] = np.nan
    pixels = seen[..., :2] / seen[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]
    return {'side': np.array(SIDES), 'places': seen, 'pixels': pixels, 'size': np.array([1920, 1080])}


def dexycb(folder: Path) -> dict[str, np.ndarray]:
    meta = yaml.safe_load((folder.parent / 'meta.yml').read_text())
    pixels, places, masks = [], [], []
    grasped = meta['ycb_ids'][meta['ycb_grasp_ind']]
    for path in sorted(folder.glob('labels_*.npz')):
        with np.load(path, allow_pickle=False) as labels:
            at, there, seg = (np.asarray(labels[name]) for name in ('joint_2d', 'joint_3d', 'seg'))
        unknown = (at == -1).all(-1) | (there == -1).all(-1)
        pixels.append(np.where(unknown[..., None], np.nan, at.astype(np.float64)))
        places.append(np.where(unknown[..., None], np.nan, there.astype(np.float64)))
        mask = np.zeros(seg.shape, np.uint8)
        mask[seg == HAND_LABEL], mask[seg == grasped] = ROLE_CODE[HAND], ROLE_CODE[OBJECT]
        masks.append(mask)
    return {
        'side': np.array(meta['mano_sides'][:1]),
        'places': np.stack(places),
        'pixels': np.stack(pixels),
        'mask': np.stack(masks),
        'size': np.array(masks[0].shape[::-1]),
    }


LAYOUTS = {'egodex': egodex, 'dexycb': dexycb}


def main() -> None:
    pipe = limited()
    layout, path = sys.argv[1:]
    send_arrays(pipe, LAYOUTS[layout](Path(path)))


if __name__ == '__main__':
    main()
