"""Which topics are the images and their depth: by what they hold; of two that could be meant one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recorded import SIZE, BagFile, Read, picture, read_here

from hoigen.sources.recording import RecordingError

K = np.array([[100.0, 0, 47.5], [0, 100, 31.5], [0, 0, 1]])
DEPTH = np.full(SIZE[::-1], 800, np.uint16)
GREY = picture(5)[..., 0]


def read(path: Path, fill: Callable[[BagFile], None], **options: str) -> Read:
    with BagFile(path, 'mcap') as file:
        fill(file)
    return read_here(path, **options)


def camera(file: BagFile, name: str = '/camera/image', number: int = 0) -> None:
    file.image(name, picture(number), 'rgb8', 1000)
    file.info(f'{name.rpartition("/")[0]}/camera_info', K, SIZE, 1000)


@pytest.mark.parametrize('topic', ['/segmentation/colored_map', '/semantic_map', '/instance/color', '/labels/rgb'])
def test_labels_are_no_images(tmp_path: Path, topic: str) -> None:
    def fill(file: BagFile) -> None:
        camera(file)
        camera(file, topic, 9)
        file.image(f'{topic}/labels_map', GREY, 'mono8', 1000)

    (rgb,) = read(tmp_path / 'x', fill).rgb
    np.testing.assert_array_equal(rgb, picture(0))


def test_what_has_a_camera_is_chosen(tmp_path: Path) -> None:
    """An overlay in colour has no camera_info, infrared no colour; names that sound better do not count."""

    def fill(file: BagFile) -> None:
        file.image('/rgb/overlay/color', picture(7), 'rgb8', 1000)
        file.image('/left/grey', GREY, 'mono8', 1000)
        file.info('/left/camera_info', K, SIZE, 1000)
        camera(file, '/eye/view')

    (rgb,) = read(tmp_path / 'x', fill).rgb
    np.testing.assert_array_equal(rgb, picture(0))


def test_two_cameras_are_asked_for(tmp_path: Path) -> None:
    def fill(file: BagFile) -> None:
        for number, name in enumerate(('/rgb/image_rect', '/wrist/image_raw')):
            camera(file, name, number)

    with pytest.raises(RecordingError, match='/rgb/image_rect, /wrist/image_raw: name one with the option image'):
        read(tmp_path / 'x', fill)
    (rgb,) = read_here(tmp_path / 'x', image='wrist/image_raw').rgb
    np.testing.assert_array_equal(rgb, picture(1))


def test_of_one_camera_the_rectified_images(tmp_path: Path) -> None:
    def fill(file: BagFile) -> None:
        file.info('/c/camera_info', K, SIZE, 1000)
        for number, name in enumerate(('image_raw', 'image_mono', 'image_rect_color', 'image_color')):
            file.image(f'/c/{name}', picture(number), 'rgb8', 1000)

    (rgb,) = read(tmp_path / 'x', fill).rgb
    np.testing.assert_array_equal(rgb, picture(2))


@pytest.mark.parametrize(
    ('topic', 'encoding'), [('/camera/Depth', '16UC1'), ('/camera/DEPTH/image', 'mono16'), ('/camera/depth', '32FC1')]
)
def test_depth_in_any_case(tmp_path: Path, topic: str, encoding: str) -> None:
    def fill(file: BagFile) -> None:
        camera(file, '/camera/Color')
        file.image(topic, DEPTH / np.float32(1000) if encoding == '32FC1' else DEPTH, encoding, 1000)
        file.image('/camera/Depth_view', picture(3), 'rgb8', 1000)

    (depth,) = read(tmp_path / 'x', fill).depth_m
    assert depth is not None
    np.testing.assert_allclose(depth, 0.8)


@pytest.mark.parametrize(
    ('matrix', 'size'),
    [(K * [[1.2], [1.2], [1]], SIZE), (K, (48, 32)), (K * [[1, 1, 1.1], [1, 1, 1], [1, 1, 1]], SIZE)],
)
def test_depth_of_another_lens(tmp_path: Path, matrix: np.ndarray, size: tuple[int, int]) -> None:
    """Refused, with what to do; the images alone and, where its K alone is wrong, the depth can be named."""

    def fill(file: BagFile) -> None:
        camera(file, '/camera/color/image_raw')
        file.image('/camera/depth/image_rect_raw', np.full(size[::-1], 800, np.uint16), '16UC1', 1000)
        file.info('/camera/depth/camera_info', matrix, size, 1000)

    with pytest.raises(
        RecordingError,
        match=r'/camera/depth/image_rect_raw: expected depth of the camera of the images'
        r'.*register it .* --depth none .* --depth /camera/depth/image_rect_raw',
    ):
        read(tmp_path / 'x', fill)
    assert read_here(tmp_path / 'x', depth='none').depth_m == [None]
    if size == SIZE:
        assert len(read_here(tmp_path / 'x', depth='/camera/depth/image_rect_raw').depth_m) == 1


def test_registered_depth_is_taken_before_the_sensors_own(tmp_path: Path) -> None:
    def fill(file: BagFile) -> None:
        camera(file, '/camera/color/image_raw')
        file.image('/camera/depth/image_raw', 2 * DEPTH, '16UC1', 1000)
        file.info('/camera/depth/camera_info', K * [[1.2], [1.2], [1]], SIZE, 1000)
        file.image('/camera/onto_color_depth/image_raw', DEPTH, '16UC1', 1000)
        file.info('/camera/onto_color_depth/camera_info', K * [[1.001], [1.001], [1]], SIZE, 1000)

    (depth,) = read(tmp_path / 'x', fill).depth_m
    assert depth is not None
    np.testing.assert_allclose(depth, 0.8)


@pytest.mark.parametrize(('frame', 'known'), [('camera', True), ('depth_camera', False), ('', True)])
def test_the_only_camera_info_is_of_the_images_frame(tmp_path: Path, frame: str, known: bool) -> None:
    """One that stands elsewhere may be another camera's."""

    def fill(file: BagFile) -> None:
        file.image('/eye/image', picture(0), 'rgb8', 1000, frame=frame)
        file.info('/lens/camera_info', K, SIZE, 1000)

    assert ('/lens/camera_info' in read(tmp_path / 'x', fill).says) == known


def test_values_that_may_be_depth_are_told(tmp_path: Path) -> None:
    """Of 16 bits or floats, and called otherwise: not taken for depth, which confidence or heat would be too."""

    def fill(file: BagFile) -> None:
        camera(file)
        file.image('/camera/range', DEPTH, '16UC1', 1000)
        file.image('/camera/confidence', DEPTH, '16UC1', 1000)

    found = read(tmp_path / 'x', fill)
    assert found.depth_m == [None]
    assert found.faults == ['not read: /camera/range: if one is depth, name it with the option depth']
    assert read_here(tmp_path / 'x', depth='/camera/range').depth_m[0] is not None


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
def test_a_topic_that_is_not_needed_need_not_parse(tmp_path: Path, kind: str) -> None:
    """Definitions are needed of no topic that is not read."""
    with BagFile(tmp_path / 'x', kind) as file:
        camera(file)
        text = file.types.types['std_msgs/msg/String']
        file.add('/said', text('x'), 1000)
    (path,) = (entry for entry in (tmp_path / 'x').iterdir() if entry.suffix != '.yaml')
    data = path.read_bytes()
    assert b'string data' in data
    path.write_bytes(data.replace(b'string data', b'---\xc2\xb5 data\n'))
    assert len(read_here(tmp_path / 'x').rgb) == 1


def test_a_bag_of_the_realsense_viewer(tmp_path: Path) -> None:
    """Its camera_info is latched below info, its depth is the sensor's own, in the unit that an option says."""
    size = (48, 32)
    with BagFile(tmp_path / 'x.bag', 'ros1') as file:
        for name, matrix, pixels in (
            ('sensor_1/Color_0', K, SIZE),
            ('sensor_0/Depth_0', K / 2, size),
            ('sensor_0/Infrared_1', K / 2, size),
        ):
            file.info(f'/device_0/{name}/info/camera_info', matrix * [[1], [1], [0]] + np.diag([0, 0, 1]), pixels, 0)
        file.add('/device_0/sensor_0/option/Depth_Units/value', file.types.types['std_msgs/msg/Float32'](0.0001), 0)
        for stamp in (1000, 1033):
            file.image('/device_0/sensor_1/Color_0/image/data', picture(1), 'rgb8', stamp, frame='0')
            file.image(
                '/device_0/sensor_0/Depth_0/image/data',
                np.full(size[::-1], 8000, np.uint16),
                'mono16',
                stamp,
                frame='0',
            )
            file.image('/device_0/sensor_0/Infrared_1/image/data', picture(2, size)[..., 0], 'mono8', stamp, frame='0')
    with pytest.raises(RecordingError, match=r'align_depth of RealSense.* --depth none'):
        read_here(tmp_path / 'x.bag')
    colour = read_here(tmp_path / 'x.bag', depth='none')
    assert len(colour.rgb) == 2
    assert '/device_0/sensor_1/Color_0/info/camera_info' in colour.says
    registered = read_here(tmp_path / 'x.bag', image='/device_0/sensor_0/Infrared_1/image/data')
    assert [None if depth is None else float(depth[3, 3]) for depth in registered.depth_m] == [pytest.approx(0.8)] * 2
    assert 'steps of 0.1 mm' in registered.says
