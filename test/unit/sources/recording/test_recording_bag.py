"""Bags of all three kinds: pictures with their depth by stamp, the camera that took them, what is wrong with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recorded import SIZE, BagFile, grey_difference, picture, read_here

from hoigen.sources.recording import RecordingError, RecordingOptions, open_recording

K = np.array([[100.0, 0, 47.5], [0, 100, 31.5], [0, 0, 1]])
COLOUR, DEPTH, INFO = '/cam/color/image_raw', '/cam/aligned_depth_to_color/image_raw', '/cam/color/camera_info'
KINDS = ('mcap', 'sqlite3', 'ros1')


def depth_mm(number: int) -> np.ndarray:
    depth = np.full(SIZE[::-1], 900 + number, np.uint16)
    depth[0, 0] = 0
    return depth


def bag(
    folder: Path,
    kind: str = 'mcap',
    frames: int = 6,
    fill: Callable[[BagFile, int], None] | None = None,
    *,
    D: tuple[float, ...] = (),
) -> Path:
    """Colour, depth 4 ms later and camera_info every 40 ms, and what ``fill`` adds at each time in ms."""
    path = folder / ('bag.bag' if kind == 'ros1' else 'bag')
    with BagFile(path, kind) as file:
        for number in range(frames):
            stamp = 1000 + 40 * number
            file.info(INFO, K, SIZE, stamp, D)
            file.image(COLOUR, picture(number), 'rgb8', stamp)
            file.image(DEPTH, depth_mm(number), '16UC1', stamp + 4)
            if fill is not None:
                fill(file, stamp)
    return path


@pytest.mark.parametrize('kind', KINDS)
def test_kinds_of_bags(tmp_path: Path, kind: str) -> None:
    """The same content comes out of rosbag2's two formats and of ROS 1."""
    with open_recording(bag(tmp_path, kind)) as recording:
        assert recording.count == 6
        (footage,) = recording.stretches(8)
        assert recording.faults == ()
    assert footage.stamps_ns.tolist() == [(1000 + 40 * n) * 10**6 for n in range(6)]
    assert all(np.array_equal(rgb, picture(n)) for n, rgb in enumerate(footage.rgb))
    assert footage.depth_m is not None
    assert np.isnan(footage.depth_m[:, 0, 0]).all()
    np.testing.assert_allclose(footage.depth_m[:, 1, 1], 0.9 + np.arange(6) / 1000, rtol=1e-6)
    np.testing.assert_array_equal(footage.K, K)


def test_one_file_of_a_bag(tmp_path: Path) -> None:
    """The file alone, and a folder whose metadata is lost, are read too."""
    folder = bag(tmp_path)
    assert len(read_here(next(folder.glob('*.mcap'))).rgb) == 6
    (folder / 'metadata.yaml').unlink()
    assert len(read_here(folder).rgb) == 6


def encoded(pixels: np.ndarray, form: str) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form)
    return held.getvalue()


@pytest.mark.parametrize('kind', ['mcap', 'ros1'])
@pytest.mark.parametrize(('form', 'tolerance'), [('jpeg', 10.0), ('png', 0.0)])
def test_compressed(tmp_path: Path, kind: str, form: str, tolerance: float) -> None:
    """JPEG and PNG pictures, and depth as compressed_depth_image_transport writes it."""
    path = tmp_path / ('x.bag' if kind == 'ros1' else 'x')
    with BagFile(path, kind) as file:
        for number in range(3):
            file.info('/c/camera_info', K, SIZE, 1000 + number)
            file.compressed('/c/image/compressed', encoded(picture(number), form), form, 1000 + number)
            file.compressed(
                '/c/depth/compressedDepth',
                bytes(12) + encoded(depth_mm(number), 'png'),
                '16UC1; compressedDepth png',
                1000 + number,
            )
    read = read_here(path)
    assert max(grey_difference(rgb, picture(n)) for n, rgb in enumerate(read.rgb)) <= tolerance
    assert [None if d is None else round(float(d[5, 5]), 4) for d in read.depth_m] == [0.9, 0.901, 0.902]


def test_unknown_encoding_is_named(tmp_path: Path) -> None:
    with BagFile(tmp_path / 'x', 'mcap') as file:
        file.image('/image', np.zeros((8, 8), np.int32), '32SC1', 1000)
    with pytest.raises(RecordingError, match='32SC1'):
        open_recording(tmp_path / 'x')


def test_metric_depth(tmp_path: Path) -> None:
    """32FC1 is metres; 0, NaN and infinite are unknown."""
    metres = np.full(SIZE[::-1], 1.5, np.float32)
    metres[0, :3] = 0, np.nan, np.inf
    with BagFile(tmp_path / 'x', 'sqlite3') as file:
        file.info('/c/camera_info', K, SIZE, 1000)
        file.image('/c/image', picture(0), 'rgb8', 1000)
        file.image('/c/depth', metres, '32FC1', 1000)
    (depth,) = read_here(tmp_path / 'x').depth_m
    assert depth is not None
    assert np.isnan(depth[0, :3]).all()
    assert (depth.ravel()[3:] == 1.5).all()


def test_unpaired_pictures_are_counted(tmp_path: Path) -> None:
    """Depth at half the rate: every second picture has none within the tolerance, and is left out and told."""
    for name, late in (('x', 15), ('y', 10)):
        with BagFile(tmp_path / name, 'mcap') as file:
            file.info('/c/camera_info', K, SIZE, 1000)
            for number in range(10):
                file.image('/c/image', picture(number), 'rgb8', 1000 + 33 * number)
                if number % 2 == 0:
                    file.image('/c/depth', depth_mm(number), '16UC1', 1000 + 33 * number + late)
    read = read_here(tmp_path / 'x')
    assert read.stamps_ms == [1000 + 66 * n for n in range(5)]
    assert read.faults == ['5 pictures left out: no depth within 0.02 s']
    with pytest.raises(RecordingError, match=r'10 pictures left out: no depth within 0\.001 s'):
        open_recording(tmp_path / 'y', RecordingOptions(pairing_s=0.001))


def test_stamps_out_of_order_are_sorted(tmp_path: Path) -> None:
    """Messages that arrived late are put back by their header stamps."""
    order = [0, 1, 2, 5, 3, 4, 7, 6]
    with BagFile(tmp_path / 'x', 'mcap') as file:
        for place, number in enumerate(order):
            file.image('/image', picture(number), 'rgb8', 1000 + 10 * number, log_ms=2000 + place)
    read = read_here(tmp_path / 'x')
    assert read.stamps_ms == [1000 + 10 * n for n in range(8)]
    assert all(np.array_equal(rgb, picture(n)) for n, rgb in enumerate(read.rgb))
    assert not read.faults


def test_no_stamps(tmp_path: Path) -> None:
    with BagFile(tmp_path / 'x.bag', 'ros1') as file:
        file.image('/image', picture(0), 'rgb8', 0, log_ms=5)
    with pytest.raises(RecordingError, match='/image: expected header stamps, got 0'):
        read_here(tmp_path / 'x.bag')


@pytest.mark.parametrize('kind', ['mcap', 'ros1'])
def test_camera_changes(tmp_path: Path, kind: str) -> None:
    """Frames after another camera_info are not given: they would be measured with the wrong K."""

    def zoom(file: BagFile, stamp: int) -> None:
        if stamp == 1120:
            file.info(INFO, K * [[1.1], [1.1], [1]], SIZE, 1120)

    read = read_here(bag(tmp_path, kind, fill=zoom))
    assert read.stamps_ms == [1000, 1040, 1080]
    assert read.faults == [
        f'{INFO}: expected one camera, got another at 1120000000 ns; the recording is read up to there'
    ]


def test_topics_by_name(tmp_path: Path) -> None:
    """Masks, generated pictures, infrared and other cameras' depth are not taken for the recording."""

    def others(file: BagFile, stamp: int) -> None:
        for topic in ('/synth/image', '/cam/infra1/image_rect_raw', '/condition/mask'):
            file.image(topic, picture(0), 'rgb8', stamp)
        file.image('/cam/depth/image_rect_raw', depth_mm(50), '16UC1', stamp, frame='depth_camera')
        file.info('/cam/depth/camera_info', 2 * K, SIZE, stamp)

    read = read_here(bag(tmp_path, fill=others))
    assert COLOUR in read.says
    assert INFO in read.says
    assert np.array_equal(read.rgb[1], picture(1))
    assert [None if d is None else round(float(d[5, 5]), 4) for d in read.depth_m][:2] == [0.9, 0.901]


def test_topics_that_could_be_meant(tmp_path: Path) -> None:
    """Of two cameras none is guessed; one is named by its topic."""
    with BagFile(tmp_path / 'x', 'mcap') as file:
        for camera in (0, 1):
            file.image(f'/cam{camera}/image_raw', picture(camera), 'rgb8', 1000)
    with pytest.raises(RecordingError, match='/cam0/image_raw, /cam1/image_raw: name one with the option image'):
        read_here(tmp_path / 'x')
    assert np.array_equal(read_here(tmp_path / 'x', image='cam1/image_raw').rgb[0], picture(1))
    with pytest.raises(RecordingError, match="got '/cam2/image_raw'"):
        read_here(tmp_path / 'x', image='/cam2/image_raw')


def test_depth_of_another_camera(tmp_path: Path) -> None:
    """Depth in its own camera's frame does not belong to the pixels of the colour pictures."""
    with BagFile(tmp_path / 'x', 'mcap') as file:
        file.info('/c/camera_info', K, SIZE, 1000)
        file.image('/c/image', picture(0), 'rgb8', 1000)
        file.image('/c/depth', depth_mm(0), '16UC1', 1000, frame='depth_camera')
    with pytest.raises(RecordingError, match="'camera', got 'depth_camera': register it"):
        read_here(tmp_path / 'x')
    assert len(read_here(tmp_path / 'x', depth='/c/depth').depth_m) == 1


def test_depth_without_camera_info(tmp_path: Path) -> None:
    with BagFile(tmp_path / 'x', 'mcap') as file:
        file.image('/c/image', picture(0), 'rgb8', 1000)
        file.image('/c/depth', depth_mm(0), '16UC1', 1000)
    with pytest.raises(RecordingError, match='expected a camera_info with K'):
        read_here(tmp_path / 'x')


def test_distortion_is_taken_out(tmp_path: Path) -> None:
    """Of raw pictures, straight lines of the scene come out straight; of rectified ones nothing is taken out again."""
    D = (-0.3, 0.1, 0.0, 0.0, 0.0)
    size = (640, 480)
    camera = np.array([[400.0, 0, 319.5], [0, 400, 239.5], [0, 0, 1]])
    rays = cv2.undistortPoints(
        np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), -1).reshape(-1, 1, 2), camera, np.array(D)
    ).reshape(480, 640, 2)
    seen = np.where(rays[..., :1] > 0.35, 255, 0).astype(np.uint8).repeat(3, -1)  # an upright edge right of the middle
    with BagFile(tmp_path / 'x', 'mcap') as file:
        for topic in ('/raw/image_raw', '/straight/image_rect'):
            file.image(topic, seen, 'rgb8', 1000)
            file.info(f'{topic.rsplit("/", 1)[0]}/camera_info', camera, size, 1000, D)
    edges = {}
    for topic in ('/raw/image_raw', '/straight/image_rect'):
        read = read_here(tmp_path / 'x', image=topic)
        assert ('distortion taken out' in read.says) == (topic == '/raw/image_raw')
        edges[topic] = (read.rgb[0][..., 0] > 127).argmax(axis=1)
    expected = 319.5 + 0.35 * 400
    assert np.abs(edges['/raw/image_raw'] - expected).max() < 2
    assert np.ptp(edges['/straight/image_rect']) > 10


@pytest.mark.parametrize('kind', KINDS)
def test_cut_bag(tmp_path: Path, kind: str) -> None:
    """A bag that was cut gives its whole messages or one error, never another exception."""
    path = bag(tmp_path, kind, frames=30)
    file = path if kind == 'ros1' else next(p for p in path.iterdir() if p.suffix in ('.mcap', '.db3'))
    data = file.read_bytes()
    for part in (0.0, 0.3, 0.7, 0.98):
        file.write_bytes(data[: int(len(data) * part)])
        faults, rgb = read_or_refuse(path)
        assert faults
        assert all(np.array_equal(seen, picture(n)) for n, seen in enumerate(rgb))


def read_or_refuse(path: Path) -> tuple[list[str], list[np.ndarray]]:
    """What is wrong with a recording, and its pictures, none if it is refused."""
    try:
        read = read_here(path)
    except RecordingError as error:
        return [str(error)], []
    return read.faults, read.rgb
