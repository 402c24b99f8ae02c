"""Clips of public data sets: layouts are read as they are published, and what is measured on them can be wrong."""

from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pytest
import yaml
from perceived_factory import hands_in, perceived

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.evaluate_labelled import measure_labelled
from hoigen.perception.labelled.clips import Labelled, find, labelled
from hoigen.perception.labelled.read import FINGERS, JOINTS
from hoigen.perception.records import Hands, PerceptionError, Segmentation

FRAMES = 3
K = np.array([[1000.0, 0, 960], [0, 1000, 540], [0, 0, 1]])


def hand(x: float) -> np.ndarray:
    """[21,3] metres in the camera's frame, half a metre away."""
    fingers = [[x + 0.02 * f, -0.03 * k, 0.5] for f in range(-2, 3) for k in range(1, 5)]
    return np.array([[x, 0.02, 0.5], *fingers])


def write_egodex(path: Path) -> None:
    """A camera that moves in the world, so that places would be wrong without its pose."""
    with av.open(str(path.with_suffix('.mp4')), 'w') as file:
        stream = file.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, 'yuv420p'
        for _ in range(FRAMES):
            frame = np.full((1080, 1920, 3), 90, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        file.mux(stream.encode())
    camera = np.tile(np.eye(4), (FRAMES, 1, 1))
    camera[:, :3, :3] = cv2.Rodrigues(np.array([0.1, 0.7, 0.0]))[0]
    camera[:, :3, 3] = [[0.1 * t, 1.5, 0.2] for t in range(FRAMES)]
    with h5py.File(path, 'w') as file:
        file['camera/intrinsic'] = K
        file['transforms/camera'] = camera
        for side, x in (('left', -0.1), ('right', 0.1)):
            names = [f'{side}Hand', *(f'{side}{f}{j}' for f in FINGERS for j in JOINTS)]
            for name, at in zip(names, hand(x), strict=True):
                pose = np.tile(np.eye(4), (FRAMES, 1, 1))
                pose[:, :3, 3] = np.einsum('tij,j->ti', camera[:, :3, :3], at) + camera[:, :3, 3]
                file[f'transforms/{name}'] = pose
        file['confidences/leftThumbTip'] = np.array([1.0, 0.1, 1.0])


def write_dexycb(folder: Path) -> None:
    folder.mkdir(parents=True)
    meta = {'mano_sides': ['left'], 'ycb_ids': [5, 11], 'ycb_grasp_ind': 1, 'num_frames': FRAMES}
    (folder.parent / 'meta.yml').write_text(yaml.safe_dump(meta))
    for t in range(FRAMES):
        image = np.random.default_rng(t).integers(0, 255, (480, 640, 3), np.uint8)
        cv2.imwrite(str(folder / f'color_{t:06d}.jpg'), image)
        cv2.imwrite(str(folder / f'aligned_depth_to_color_{t:06d}.png'), np.full((480, 640), 700, np.uint16))
        seg = np.zeros((480, 640), np.uint8)
        seg[100:200, 100:200], seg[300:350, :50], seg[300:350, 100:150] = 255, 5, 11
        at, there = np.full((1, 21, 2), 150.0, np.float32), np.full((1, 21, 3), 0.5, np.float32)
        if t == 1:
            at[:], there[:] = -1, -1
        np.savez(folder / f'labels_{t:06d}.npz', seg=seg, joint_2d=at, joint_3d=there, pose_y=np.zeros((2, 3, 4)))


def test_egodex_joints_are_where_its_camera_sees_them(tmp_path):
    write_egodex(tmp_path / '7.hdf5')
    [(layout, path)] = find(tmp_path)
    clip = labelled(layout, path, 49)
    assert clip.side == ('left', 'right')
    assert clip.footage.rgb.shape == (FRAMES, 360, 640, 3)
    true = hand(0.1)
    pixels = (true[:, :2] / 0.5 * 1000 + (960, 540) + 0.5) / 3 - 0.5
    assert np.allclose(clip.pixels[2, 1], pixels, atol=0.01)
    assert np.allclose(clip.places[2, 1], true, atol=1e-6)
    assert np.isnan(clip.pixels[1, 0, 4]).all()  # not confident
    assert np.isfinite(clip.pixels[0, 0]).all()


def test_dexycb_labels_are_those_of_the_hand_and_of_the_object_that_it_handles(tmp_path):
    write_dexycb(tmp_path / 'subject' / 'sequence' / '836212060125')
    [(layout, path)] = find(tmp_path)
    clip = labelled(layout, path, 49)
    assert clip.side == ('left',)
    assert clip.footage.depth_m is None
    assert clip.mask[0, 150, 150] == ROLE_CODE[HAND]
    assert clip.mask[0, 320, 120] == ROLE_CODE[OBJECT]
    assert clip.mask[0, 320, 20] == 0
    assert np.isnan(clip.pixels[1]).all()
    assert np.allclose(clip.pixels[0], 150)


@pytest.mark.parametrize('fault', ['no clip', 'no hdf5', 'short'])
def test_what_cannot_be_read_is_named(tmp_path, fault):
    if fault == 'no clip':
        with pytest.raises(PerceptionError, match='expected clips of EgoDex'):
            find(tmp_path)
        return
    write_egodex(tmp_path / '7.hdf5')
    if fault == 'no hdf5':
        (tmp_path / '7.hdf5').write_bytes(b'no such thing')
    else:
        with h5py.File(tmp_path / '7.hdf5', 'r+') as file:
            for name in list(file['transforms']):
                file[f'transforms/{name}'], _ = file[f'transforms/{name}'][:1], file.pop(f'transforms/{name}')
    with pytest.raises(PerceptionError, match=r'7\.hdf5'):
        labelled('egodex', tmp_path / '7.hdf5', 49)


def test_measures_are_perfect_for_the_truth_and_fall_with_every_fault():
    seen = perceived(4)
    first = seen.segmentation.instance[:1]
    still = Segmentation(seen.segmentation.role, np.repeat(first, 4, 0))  # so that the same keypoints stay in it
    mask = still.mask
    v, u = np.nonzero(mask[0] == ROLE_CODE[HAND])
    spread = np.linspace(0, len(u) - 1, 21).astype(int)
    pixels = np.stack([u, v], -1)[spread].astype(np.float32)
    found = hands_in(4, 'right')
    hands = Hands(('right',), np.tile(pixels, (4, 1, 1, 1)), np.zeros_like(found.shape_m), np.ones((4, 1), np.float32))
    truth = Labelled('x', seen.footage, ('right',), hands.keypoints_px.astype(float), np.zeros((4, 1, 21, 3)), mask)
    best = measure_labelled(perceived(4, hands=hands, segmentation=still), truth)
    assert {name: best[name] for name in ('hands found', 'side right', 'IoU hand', 'IoU object')} == dict.fromkeys(
        ('hands found', 'side right', 'IoU hand', 'IoU object'), 1.0
    )
    assert best['keypoints, px'] == 0
    assert best['keypoints in the mask'] == 1
    left = Hands(('left',), hands.keypoints_px + 3, hands.shape_m, hands.score)
    row = measure_labelled(perceived(4, hands=left), truth)
    assert row['side right'] == 0
    assert row['keypoints, px'] == pytest.approx(np.hypot(3, 3), rel=1e-4)
    none = measure_labelled(perceived(4), truth)
    assert none['hands found'] == 0
    assert 'keypoints, px' not in none
