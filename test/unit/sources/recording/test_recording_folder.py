"""Folders of frames and RGB-D folders: order, stamps, depth, and intrinsics that fit the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded import SIZE, draw_rgbd, picture, read_here, write_calibration

from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.records import Camera
from hoigen.sources.recording import RecordingError, RecordingOptions, open_recording
from hoigen.sources.recording.calibration import Calibration, camera_of, read_calibration
from hoigen.sources.recording.fit import fit_of

NAMES = [f'cup_1305031{100 + n}.{n:03d}' for n in range(5)]
RGBD = Path(__file__).resolve().parents[5] / 'shared' / 'data' / 'egocentric_rgbd'


def write_frames(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(picture(number)).save(folder / name)
    return folder


def test_names_without_time_need_a_rate(tmp_path: Path) -> None:
    """frame_10 comes after frame_9; without a rate nobody knows when."""
    folder = write_frames(tmp_path / 'frames', [f'frame_{n}.png' for n in range(12)])
    read = read_here(folder, frame_rate_hz=20.0)
    assert read.stamps_ms == [50.0 * n for n in range(12)]
    assert all(np.array_equal(rgb, picture(n)) for n, rgb in enumerate(read.rgb))
    with pytest.raises(RecordingError, match='frame_rate_hz'):
        read_here(folder)


@pytest.mark.parametrize(
    ('name', 'stamp_ns'),
    [
        ('1305031102.175304', 1305031102175304000),
        ('left_12.5', 12500000000),
        ('1403636579763555584', 1403636579763555584),
        ('img-1403636579763', 1403636579763000000),
    ],
)
def test_names_with_time(tmp_path: Path, name: str, stamp_ns: int) -> None:
    """Seconds with a point, or milliseconds, microseconds and nanoseconds since 1970 by their number of digits."""
    with open_recording(write_frames(tmp_path / 'rgb', [f'{name}.png'])) as recording:
        (footage,) = recording.stretches(4)
    assert footage.stamps_ns.tolist() == [stamp_ns]


def test_rgbd(tmp_path: Path) -> None:
    """Millimetres become metres, 0 unknown; K moves along when the pictures are made smaller."""
    with open_recording(draw_rgbd(tmp_path / 'take', NAMES), RecordingOptions(size=(48, 32))) as recording:
        assert recording.count == 5
        assert 'depth and calibration' in recording.describe()
        (footage,) = recording.stretches(8)
    assert footage.stamps_ns.tolist() == [(1305031100 + n) * 10**9 + n * 10**6 for n in range(5)]
    assert footage.depth_m is not None
    assert np.isnan(footage.depth_m[:, :4, :4]).all()
    beside = footage.depth_m[:, 8:, 8:].reshape(5, -1)
    np.testing.assert_allclose(beside, (0.8 + np.arange(5) / 1000)[:, None].repeat(960, 1), rtol=1e-6)
    np.testing.assert_allclose(footage.K, [[50, 0, 23.5], [0, 50.5, 15.5], [0, 0, 1]])


def test_folder_around_one_recording(tmp_path: Path) -> None:
    draw_rgbd(tmp_path / 'data' / 'take', NAMES)
    assert len(read_here(tmp_path / 'data').rgb) == 5


def test_depth_keeps_its_plane_and_its_edges() -> None:
    """A tilted plane, cropped and shrunk with its camera, is the same plane; a step stays a step of two depths."""
    camera = Camera(np.array([[80.0, 0, 50], [0, 80, 30], [0, 0, 1]]), 100, 64, np.eye(4))
    rays = unproject(camera, pixel_grid(100, 64), np.ones((64, 100)))
    depth = (1 / (rays @ np.array([0.2, -0.3, 1.0]))).astype(np.float32)
    fit = fit_of(np.zeros((64, 100, 3), np.uint8), Calibration(camera.K, None, 'K'), (48, 40))
    assert fit.shown is not None
    places = unproject(fit.shown, pixel_grid(48, 40), fit.depth(depth))
    np.testing.assert_allclose(places @ np.array([0.2, -0.3, 1.0]), 1, atol=1e-5)
    step = np.where(np.arange(100) < 51, np.float32(0.5), np.float32(2.0)) * np.ones((64, 1), np.float32)
    assert set(np.unique(fit.depth(step).round(6))) == {0.5, 2.0}


def test_tum_layout(tmp_path: Path) -> None:
    """Depth has stamps of its own there, a few ms off, and steps of 1/5000 m, which its list of files tells."""
    draw_rgbd(tmp_path, ['100.000000', '100.033333', '100.066667'], depth_mm=5000)
    for file, to in (('100.000000', '100.004'), ('100.033333', '100.020'), ('100.066667', '100.300')):
        (tmp_path / 'depth' / f'{file}.png').rename(tmp_path / 'depth' / f'{to}.png')
    (tmp_path / 'depth.txt').write_text('# depth maps\n')
    read = read_here(tmp_path)
    assert read.stamps_ms == [100000.0, 100033.333]
    assert [round(float(d[20, 20]), 4) for d in read.depth_m if d is not None] == [1.0, 1.0002]
    assert read.faults == ['1 of 3 pictures left out: no depth within 0.02 s']


@pytest.mark.parametrize('kind', ['npy', 'tiff'])
def test_float_depth_is_metres(tmp_path: Path, kind: str) -> None:
    draw_rgbd(tmp_path, ['0', '1'])
    for file in (tmp_path / 'depth').iterdir():
        metres = np.full(SIZE[::-1], 1.25, np.float32)
        metres[0, 0], metres[0, 1] = np.nan, 0
        if kind == 'npy':
            np.save(file.with_suffix('.npy'), metres)
        else:
            Image.fromarray(metres).save(file.with_suffix('.tiff'))
        file.unlink()
    depth = read_here(tmp_path, frame_rate_hz=10.0).depth_m[1]
    assert depth is not None
    assert np.isnan(depth[0, :2]).all()
    assert (depth.ravel()[2:] == 1.25).all()


def test_pickled_depth_is_not_opened(tmp_path: Path) -> None:
    """A numpy file may hold a program; it is refused, not run."""
    draw_rgbd(tmp_path, ['0', '1'])
    for file in (tmp_path / 'depth').iterdir():
        np.save(file.with_suffix('.npy'), np.array([{'a': 1}], object), allow_pickle=True)
        file.unlink()
    read = read_here(tmp_path, frame_rate_hz=10.0)
    assert read.damaged == [0, 1]


def test_missing_depth(tmp_path: Path) -> None:
    """Pictures without depth are left out and counted; none with depth at all is an error."""
    draw_rgbd(tmp_path / 'a', NAMES)
    (tmp_path / 'a' / 'depth' / f'{NAMES[2]}.png').unlink()
    read = read_here(tmp_path / 'a')
    assert len(read.rgb) == 4
    assert read.faults == ['1 of 5 pictures left out: no depth within 0.02 s']
    for file in (tmp_path / 'a' / 'depth').iterdir():
        file.unlink()
    with pytest.raises(RecordingError, match='depth: expected depth within'):
        read_here(tmp_path / 'a')


def test_depth_without_calibration(tmp_path: Path) -> None:
    draw_rgbd(tmp_path, NAMES)
    (tmp_path / 'calibration.json').unlink()
    with pytest.raises(RecordingError, match='expected a calibration beside depth'):
        read_here(tmp_path)


def test_depth_of_another_size(tmp_path: Path) -> None:
    draw_rgbd(tmp_path, NAMES)
    for file in (tmp_path / 'depth').iterdir():
        Image.fromarray(np.full((32, 48), 800, np.uint16)).save(file)
    with pytest.raises(RecordingError, match='expected depth pictures of 96x64, got 48x32'):
        open_recording(tmp_path)


@pytest.mark.parametrize(
    ('changed', 'says'),
    [
        ({'cx': 200.0}, 'principal point inside 96x64'),
        ({'fx': 0.0}, 'focal lengths > 0'),
        ({'cx': 191.5, 'cy': 127.5}, 'inside 96x64'),
        ({'cx': 23.5, 'cy': 15.5}, 'pictures of about 48x32'),
        ({'width': 1280, 'height': 720}, 'expected the calibration of 96x64 pictures, got that of 1280x720'),
    ],
)
def test_calibration_that_is_not_of_these_pictures(tmp_path: Path, changed: dict[str, float], says: str) -> None:
    """K with its principal point outside, without focal length, or of pictures of another size."""
    write_calibration(tmp_path, SIZE, **changed)
    with pytest.raises(RecordingError, match=says):
        camera_of(read_calibration(tmp_path / 'calibration.json'), *SIZE)


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        (
            'camera_info.yaml',
            'image_width: 96\nimage_height: 64\ncamera_matrix: {rows: 3, cols: 3, '
            'data: [100, 0, 47, 0, 101, 31, 0, 0, 1]}\n',
        ),
        ('camera_info.yaml', 'width: 96\nheight: 64\nk: [100, 0, 47, 0, 101, 31, 0, 0, 1]\n'),
        ('K.txt', '100 0 47\n0 101 31\n0 0 1\n'),
        ('camera.txt', '# fx fy cx cy\n100.0 1.01e2 47 31\n'),
        ('intrinsics.json', '{"width": 96, "height": 64, "intrinsic_matrix": [100, 0, 0, 0, 101, 0, 47, 31, 1]}'),
        (
            'calibration.json',
            '{"depth": {"fx": 9, "fy": 9, "cx": 9, "cy": 9}, "head": {"fx": 100, "fy": 101, "cx": 47, "cy": 31}}',
        ),
        (
            'calibration.json',
            '{"right": {"fx": 9, "fy": 9, "cx": 9, "cy": 9}, "rgb": {"intrinsic_matrix": '
            '[[100, 0, 47], [0, 101, 31], [0, 0, 1]]}}',
        ),
    ],
)
def test_ways_to_write_intrinsics(tmp_path: Path, name: str, text: str) -> None:
    """camera_info, TUM's numbers, Open3D's columns, tables of several cameras."""
    (tmp_path / name).write_text(text)
    camera = camera_of(read_calibration(tmp_path / name), *SIZE)
    np.testing.assert_array_equal(camera.K, [[100, 0, 47], [0, 101, 31], [0, 0, 1]])


@pytest.mark.parametrize(
    'text',
    [
        '{',
        '[1, 2]',
        '{"fx": 1}',
        '{"K": [1, 2, 3]}',
        '{"K": [NaN, 0, 0, 0, 1, 0, 0, 0, 1]}',
        '{"resolution": "1x", "fx": "a", "fy": 1, "cx": 0, "cy": 0}',
    ],
)
def test_no_calibration_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / 'calibration.json').write_text(text)
    with pytest.raises(RecordingError, match=r'calibration\.json: expected'):
        read_calibration(tmp_path / 'calibration.json')


def test_cut_picture_is_left_out(tmp_path: Path) -> None:
    """A JPEG that was cut decodes to grey below the cut; it is not a picture of anything."""
    folder = write_frames(tmp_path / 'frames', [f'{n}.jpg' for n in range(3)])
    data = (folder / '1.jpg').read_bytes()
    (folder / '1.jpg').write_bytes(data[: len(data) // 2])
    assert read_here(folder, frame_rate_hz=1.0).damaged == [1]


def test_a_mode_that_is_not_read_is_not_damage(tmp_path: Path) -> None:
    """16 bits a channel: refused at once where it is the first, left out and counted as what it is among others."""
    folder = write_frames(tmp_path / 'frames', [f'{n}.png' for n in range(4)])
    Image.fromarray(np.zeros((64, 96), np.uint16)).save(folder / '2.png')
    with open_recording(folder, RecordingOptions(frame_rate_hz=1.0)) as recording:
        assert [len(footage.rgb) for footage in recording.stretches(8)] == [2, 1]
        (fault,) = recording.faults
    assert fault.startswith('1 frames left out that are not read, the first: 2.png: expected an image in RGB or grey')
    (folder / '2.png').replace(folder / '0.png')
    with pytest.raises(RecordingError, match=r'0\.png: expected an image in RGB or grey') as refused:
        open_recording(folder, RecordingOptions(frame_rate_hz=1.0))
    assert 'left out' not in str(refused.value)


def test_which_folder(tmp_path: Path) -> None:
    """Of two that could be meant none is guessed."""
    for name in ('image_1', 'image_2'):
        write_frames(tmp_path / name, ['0.5.png'])
    with pytest.raises(RecordingError, match='got image_1, image_2: name one with the option image'):
        read_here(tmp_path)
    assert len(read_here(tmp_path, image='image_2').rgb) == 1


def test_nothing_to_open(tmp_path: Path) -> None:
    for name, path in (('no such file', tmp_path / 'absent'), ('none of them', tmp_path)):
        with pytest.raises(RecordingError, match=name):
            read_here(path)


def test_sample_opens_without_options() -> None:
    """The recording of a head-mounted camera: stamps from the names, depth with holes, K of the rectified pictures."""
    if not RGBD.is_dir():
        pytest.skip('the sample recordings are not beside this checkout')
    with open_recording(RGBD) as recording:
        assert 'distortion is not applied' in recording.describe()
        (footage,) = recording.stretches(33)
    assert footage.rgb.shape == (12, 360, 640, 3)
    assert footage.depth_m is not None
    assert 0.1 < np.isnan(footage.depth_m).mean() < 0.4
    assert 0.3 < np.nanmedian(footage.depth_m) < 3
    np.testing.assert_allclose(footage.K, [[345.6855, 0, 329.6025], [0, 346.255, 177.926], [0, 0, 1]])
    assert (np.diff(footage.stamps_ns) == 10**9).all()
