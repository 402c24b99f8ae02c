"""Where a stretch ends: at its length, at pauses, where the clock starts again and where the camera changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from hoigen.records import Camera
from hoigen.ros import convert
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.stretches import Stretch, StretchCollector, footage_of

SECOND = 10**9
K = np.array([[20.0, 0, 9.5], [0, 20.0, 5.5], [0, 0, 1]])


def instant(
    stamp_ns: int, width: int = 20, focal: float = 20.0, depth: bool = True, frame_id: str = 'camera_optical'
) -> dict[str, Any]:
    head = convert.ENCODER.header(stamp_ns, 'camera_optical')
    lens = K.copy()
    lens[0, 0] = focal
    messages = {
        'camera/image': convert.ENCODER.image(np.full((12, width, 3), 7, np.uint8), head),
        'camera/camera_info': convert.ENCODER.camera_info(
            Camera(lens, width, 12, np.eye(4)), convert.ENCODER.header(stamp_ns, frame_id)
        ),
    }
    if depth:
        messages['camera/depth'] = convert.ENCODER.image(np.full((12, width), 1.5, np.float32), head)
    return messages


def collect(instants: list[dict[str, Any]], frames: int = 3) -> list[Stretch]:
    """Every stretch that ends, the one in progress last."""
    collector = StretchCollector(frames, 2 * SECOND)
    return [stretch for one in instants for stretch in collector.add(one)] + collector.end()


@pytest.mark.parametrize(
    ('instants', 'lengths'),
    [
        ([instant(n) for n in range(1, 8)], [3, 3, 1]),
        ([instant(n * SECOND) for n in (1, 2, 5, 6)], [2, 2]),
        ([instant(n * SECOND) for n in (5, 6, 1, 2)], [2, 2]),
        ([instant(n * SECOND) for n in (5, 5)], [1, 1]),
        ([instant(1), instant(2), instant(3, width=18), instant(4, width=18)], [2, 2]),
        ([instant(1), instant(2), instant(3, focal=21.0)], [2, 1]),
        ([instant(1), instant(2, depth=False)], [1, 1]),
    ],
    ids=['length', 'pause', 'clock starts again', 'same stamp', 'size', 'lens', 'depth gone'],
)
def test_a_stretch_is_what_one_camera_sees_without_a_break(instants: list[dict[str, Any]], lengths: list[int]) -> None:
    """No clip goes over a cut; every instant is in one, and they are counted."""
    made = collect(instants)
    assert [len(stretch.instants) for stretch in made] == lengths
    assert [stretch.number for stretch in made] == list(range(len(lengths)))
    assert [one for stretch in made for one in stretch.instants] == instants


def test_a_pause_ends_a_stretch_before_its_next_frame() -> None:
    """The clock tells that no further frame comes."""
    collector = StretchCollector(5, 2 * SECOND)
    assert not collector.paused(9 * SECOND)
    collector.add(instant(3 * SECOND))
    assert not collector.paused(5 * SECOND)
    assert collector.paused(5 * SECOND + 1)
    assert collector.end()[0].stamps_ns == (3 * SECOND, 3 * SECOND)
    assert collector.empty


@pytest.mark.parametrize(
    ('messages', 'match'),
    [
        (
            instant(1, frame_id='left_eye'),
            r"camera/camera_info at 1 ns: header.frame_id: expected 'camera_optical' as of "
            r"camera/image, got 'left_eye'",
        ),
        (
            instant(1) | {'camera/depth': instant(1, width=10)['camera/depth']},
            'camera/depth at 1 ns: expected 20x12 pixels as of camera/image, got 10x12',
        ),
    ],
)
def test_depth_and_lens_must_be_of_the_picture(messages: dict[str, Any], match: str) -> None:
    """Unregistered depth would put every point in a wrong place."""
    with pytest.raises(Refused, match=match):
        StretchCollector(3, SECOND).add(messages)


def test_footage_is_what_was_sent() -> None:
    """With depth and lens, and without."""
    footage = footage_of([instant(1), instant(5)])
    assert footage.stamps_ns.tolist() == [1, 5]
    assert footage.depth_m is not None
    assert footage.depth_m.shape == (2, 12, 20)
    assert np.unique(footage.depth_m).tolist() == [1.5]
    np.testing.assert_array_equal(footage.K, K)
    plain = footage_of([{'camera/image': instant(1)['camera/image']}])
    assert plain.depth_m is None
    assert plain.K is None
