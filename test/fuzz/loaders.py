"""What hoigen does with a file of anyone's making, and a small good input for each. Loaded in the fork server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import trimesh
from drawn_episode import MADE, drawn_episode, footage_clip
from PIL import Image
from recorded import BagFile, draw_rgbd, draw_video, picture

from hoigen.conditioning import build_conditions
from hoigen.editing.clips.store import FrameStore
from hoigen.editing.commands.inputs import read_mask
from hoigen.editing.flux.configuration import read_config as read_edit_config
from hoigen.editing.subjects.from_files import load_mesh
from hoigen.episodes import load_clip, write_episode
from hoigen.episodes.commands import ReportConfig, report
from hoigen.episodes.recovery import recover
from hoigen.records import Episode
from hoigen.resources import find
from hoigen.sources.recording.calibration import read_calibration
from hoigen.sources.recording.recording import open_recording
from hoigen.video.configuration import read_config
from hoigen.video.data import ClipSet, write_clip

K = np.array([[100.0, 0, 47.5], [0, 100, 31.5], [0, 0, 1]])
FRAMES = 5


def recording(path: Path) -> str:
    with open_recording(path) as opened:
        frames = sum(len(footage.stamps_ns) for footage in opened.stretches(4))
        return f'{frames} frames; {"; ".join(opened.faults)}'


def clip_of_bag(path: Path) -> str:
    clip = load_clip(path)
    return f'{len(clip.stamps_ns)} rows {clip.rgb.sum()} {np.nansum(clip.depth_m, dtype=float)}'


def page(path: Path) -> str:
    said = StringIO()
    with redirect_stdout(said):
        report(ReportConfig(path))
    return said.getvalue()


def recovered(path: Path) -> str:
    return str(recover(path))


def mesh(path: Path) -> str:
    asset = load_mesh(path)
    return f'{len(asset.vertices)} vertices'


def calibration(path: Path) -> str:
    return str(read_calibration(path).K)


def video_model(folder: Path) -> str:
    return str(read_config(str(folder)))


def edit_model(folder: Path) -> str:
    return str(read_edit_config(str(folder)))


def training_clip(folder: Path) -> str:
    clips = ClipSet([folder])
    sample = clips.sample(0)
    points = clips.points(0, cloud=64, tokens=16).points
    return f'{clips.info(0)} {sample.video.sum()} {sample.mask.sum()} {points.sum()}'


def begun_edit(folder: Path) -> str:
    return str(FrameStore(folder, {'seed': 7}))


def mask(path: Path) -> str:
    return str(read_mask(path, (64, 96)).sum())


def video_file(folder: Path) -> Path:
    return draw_video(folder / 'clip.mp4', [40 * n for n in range(FRAMES)], g='3')


def matroska(folder: Path) -> Path:
    return draw_video(folder / 'clip.mkv', [40 * n for n in range(FRAMES)], g='3')


def rgbd_depth(folder: Path) -> Path:
    draw_rgbd(folder, [f'{n / 10:.1f}' for n in range(FRAMES)])
    return folder / 'depth/0.2.png'


def rgbd_npy(folder: Path) -> Path:
    draw_rgbd(folder, [f'{n / 10:.1f}' for n in range(FRAMES)])
    for n in range(FRAMES):
        (folder / f'depth/{n / 10:.1f}.png').unlink()
        np.save(folder / f'depth/{n / 10:.1f}.npy', np.full((64, 96), 0.8, np.float32))
    return folder / 'depth/0.2.npy'


def rgbd_image(folder: Path) -> Path:
    draw_rgbd(folder, [f'{n / 10:.1f}' for n in range(FRAMES)])
    return folder / 'rgb/0.2.png'


def rgbd_calibration(folder: Path) -> Path:
    draw_rgbd(folder, [f'{n / 10:.1f}' for n in range(FRAMES)])
    return folder / 'calibration.json'


def bag(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / ('recorded.bag' if kind == 'ros1' else 'recorded')
        with BagFile(path, kind) as file:
            for n in range(FRAMES):
                file.image('/camera/color/image_raw', picture(n), 'rgb8', 100 + 40 * n)
                file.image(
                    '/camera/aligned_depth_to_color/image_raw', np.full((64, 96), 800, np.uint16), '16UC1', 100 + 40 * n
                )
                file.info('/camera/color/camera_info', K, (96, 64), 100 + 40 * n)
        return next((entry for entry in path.iterdir() if entry.suffix != '.yaml'), path) if path.is_dir() else path

    return write


def compressed_bag(folder: Path) -> Path:
    with BagFile(folder / 'recorded', 'mcap') as file:
        for n in range(FRAMES):
            jpeg = cv2.imencode('.jpg', picture(n))[1].tobytes()
            file.compressed('/camera/image/compressed', jpeg, 'rgb8; jpeg compressed bgr8', 100 + 40 * n)
    return next((folder / 'recorded').glob('*.mcap'))


def own_clip(folder: Path) -> Path:
    write_episode(folder / 'clip_0000', Episode(footage_clip(), MADE))
    return next((folder / 'clip_0000').glob('*.mcap'))


def own_metadata(folder: Path) -> Path:
    own_clip(folder)
    return folder / 'clip_0000/metadata.yaml'


def own_episode(folder: Path) -> Path:
    write_episode(folder / 'episode_0000', drawn_episode(FRAMES))
    return next((folder / 'episode_0000').glob('*.mcap'))


def torn_episode(folder: Path) -> Path:
    path = own_episode(folder)
    (path.parent / 'metadata.yaml').unlink()
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def mesh_file(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        box = trimesh.creation.box((0.1, 0.1, 0.1))
        texture = Image.fromarray(picture(1, (64, 64)))
        box.visual = trimesh.visual.TextureVisuals(box.vertices[:, :2] * 10 + 0.5, image=texture)
        box.export(str(folder / f'box.{kind}'))
        return folder / f'box.{kind}'

    return write


def calibration_json(folder: Path) -> Path:
    path = folder / 'calibration.json'
    path.write_text(json.dumps({'fx': 100.0, 'fy': 101.5, 'cx': 47.5, 'cy': 31.5, 'width': 96, 'height': 64}))
    return path


def calibration_yaml(folder: Path) -> Path:
    path = folder / 'calibration.yaml'
    path.write_text(
        'image_width: 96\nimage_height: 64\ncamera_matrix:\n  rows: 3\n  cols: 3\n  data: [100.0, 0.0,'
        ' 47.5, 0.0, 101.5, 31.5, 0.0, 0.0, 1.0]\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n'
        '  data: [0.0, 0.0, 0.0, 0.0, 0.0]\n'
    )
    return path


def mask_file(folder: Path) -> Path:
    Image.fromarray(np.eye(96, dtype=np.uint8)[:64] * 255).save(folder / 'mask.png')
    return folder / 'mask.png'


def model_yaml(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        return Path(shutil.copy(find(f'config/{kind}.yaml'), folder / 'model.yaml'))

    return write


def clip_file(folder: Path) -> Path:
    clip = footage_clip()
    write_clip(
        folder / 'clip.safetensors',
        clip.rgb,
        build_conditions(clip, width=96, height=64),
        {'prompt': 'a hand'},
        points=64,
    )
    return folder / 'clip.safetensors'


def edit_settings(folder: Path) -> Path:
    (folder / 'settings.json').write_text(json.dumps({'seed': 7}))
    return folder / 'settings.json'


@dataclass(frozen=True)
class Loader:
    """make: writes a good input in a new folder and returns the file to damage. call: what reads it. above: how many
    folders above that file the path lies that is given to ``call``. checked: whatever is read must be what was written.
    """

    make: Callable[[Path], Path]
    call: Callable[[Path], str]
    above: int = 0
    checked: bool = False

    def given(self, file: Path) -> Path:
        return file.parents[self.above - 1] if self.above else file


LOADERS = {
    'mp4': Loader(video_file, recording),
    'mkv': Loader(matroska, recording),
    'depth png': Loader(rgbd_depth, recording, 2),
    'depth npy': Loader(rgbd_npy, recording, 2),
    'image png': Loader(rgbd_image, recording, 2),
    'rgbd calibration': Loader(rgbd_calibration, recording, 1),
    'mcap': Loader(bag('mcap'), recording),
    'db3': Loader(bag('sqlite3'), recording, 1),
    'ros1 bag': Loader(bag('ros1'), recording),
    'compressed mcap': Loader(compressed_bag, recording),
    'own bag as recording': Loader(own_clip, recording, 1),
    'own clip': Loader(own_clip, clip_of_bag, 1, checked=True),
    'own metadata': Loader(own_metadata, clip_of_bag, 1, checked=True),
    'report': Loader(own_episode, page, 2),
    'recover': Loader(torn_episode, recovered, 1),
    'glb': Loader(mesh_file('glb'), mesh),
    'obj': Loader(mesh_file('obj'), mesh),
    'ply': Loader(mesh_file('ply'), mesh),
    'stl': Loader(mesh_file('stl'), mesh),
    'calibration json': Loader(calibration_json, calibration),
    'calibration yaml': Loader(calibration_yaml, calibration),
    'mask': Loader(mask_file, mask),
    'training clip': Loader(clip_file, training_clip, 1),
    'video model': Loader(model_yaml('models/tiny'), video_model, 1),
    'edit model': Loader(model_yaml('editing/insertion-tiny'), edit_model, 1),
    'begun edit': Loader(edit_settings, begun_edit, 1),
}


def copied(good: Path, file: Path, folder: Path) -> Path:
    """A copy of the good input's folder; returns the file to damage in it."""
    shutil.copytree(good, folder)
    return folder / file.relative_to(good)
