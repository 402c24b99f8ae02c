"""Clips taken apart and put together again: no array is forgotten, mixed up or shifted against another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_record import same_record
from synthetic_scene import camera_at, labels

from hoigen.records import Clip, RecordError


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    """Any sizes, also without points and tracks; every value of every array is another as far as its dtype goes."""
    T, N, M = draw(st.integers(1, 5)), draw(st.integers(0, 6)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    H, W = 3, 4
    depth_m = rng.random((T, H, W), np.float32)
    depth_m[:, 0, :2] = np.inf, np.nan
    return Clip(
        stamps_ns=np.cumsum(rng.integers(1, 10**9, T)),
        cameras=tuple(camera_at((1 + rng.random(), 0, 0.5), W, H) for _ in range(T)),
        rgb=rng.integers(0, 256, (T, H, W, 3), np.uint8),
        depth_m=depth_m,
        mask=rng.integers(0, 3, (T, H, W), np.uint8),
        points=rng.random((T, N, 3), np.float32),
        point_role=rng.integers(0, 3, N, np.uint8),
        point_visible=rng.random((T, N)) < 0.5,
        point_rgb=rng.integers(0, 256, (N, 3), np.uint8),
        point_rgb_known=rng.random(N) < 0.5,
        point_contact=rng.random((T, N)) < 0.5,
        tracks=rng.random((T, M, 3), np.float32),
        track_visible=rng.random((T, M)) < 0.5,
        labels=tuple(labels(t) for t in range(T)),
    )


def rows_of(clip: Clip) -> list:
    return [clip.row(t) for t in range(len(clip.labels))]


@given(clips())
def test_a_clip_is_the_clip_of_its_rows(clip: Clip) -> None:
    """Stacking undoes taking rows, whatever the sizes."""
    same_record(Clip.of(rows_of(clip)), clip)


@given(clips(), st.data())
def test_frames_are_those_rows(clip: Clip, data: st.DataObject) -> None:
    """A slice of a clip is the clip of the slice of its rows."""
    stop = data.draw(st.integers(1, len(clip.labels)))
    start = data.draw(st.integers(0, stop - 1))
    same_record(clip.frames(start, stop), Clip.of(rows_of(clip)[start:stop]))


@given(clips(), st.data())
def test_subsets_take_whole_points_and_tracks(clip: Clip, data: st.DataObject) -> None:
    """A mask takes the same points and tracks of every array in every frame; the rest of the clip stays."""
    N, M = clip.points.shape[1], clip.tracks.shape[1]
    points, tracks = (np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool) for n in (N, M))
    part = clip.subset(points, tracks)
    for name in ('points', 'point_visible', 'point_contact'):
        np.testing.assert_array_equal(getattr(part, name), getattr(clip, name)[:, points])
    for name in ('point_role', 'point_rgb', 'point_rgb_known'):
        np.testing.assert_array_equal(getattr(part, name), getattr(clip, name)[points])
    for name in ('tracks', 'track_visible'):
        np.testing.assert_array_equal(getattr(part, name), getattr(clip, name)[:, tracks])
    same_record(clip.subset(slice(N), slice(M)), clip)
    same_record(part.frames(0, 1), clip.frames(0, 1).subset(points, tracks))


@given(clips(), st.integers(0, 3))
def test_new_points_come_after_the_old(clip: Clip, count: int) -> None:
    """The old points stay as they were; nothing is known of the new ones but position and role."""
    T, N = clip.points.shape[:2]
    points, role = np.ones((T, count, 3), np.float32), np.full(count, 2, np.uint8)
    more = clip.with_points(points, role)
    same_record(more.subset(slice(N), slice(None)), clip)
    new = more.subset(slice(N, None), slice(None))
    np.testing.assert_array_equal(new.points, points)
    np.testing.assert_array_equal(new.point_role, role)
    for unknown in (new.point_visible, new.point_contact, new.point_rgb_known, new.point_rgb):
        assert not unknown.any()


def test_rows_of_different_scenes_are_no_clip(clip: Clip) -> None:
    """No frames, other points, another size or stamps that do not rise: refused, with the name of the array."""
    one, other = clip.row(0), clip.row(1)
    for rows, named in (
        ([], 'at least 1 frame, got 0'),
        ([one, replace(other, point_role=other.point_role + np.uint8(1))], 'point_role: expected the same in every'),
        ([one, clip.subset(slice(9), slice(4)).row(1)], r'points: expected frames of one size, got \[\(9, 3\)'),
        ([other, one], 'rising stamps'),
    ):
        with pytest.raises(RecordError, match=named):
            Clip.of(rows)


def test_a_row_is_checked_like_a_clip(clip: Clip) -> None:
    """An array that is not as long as the others, or not of the camera's size, is refused by name."""
    row = clip.row(2)
    with pytest.raises(RecordError, match=r"point_visible: expected bool \['N'\] with {'N': 8192}, got bool \[7\]"):
        replace(row, point_visible=row.point_visible[:7])
    with pytest.raises(RecordError, match=r'mask: expected uint8'):
        replace(row, mask=row.mask[1:])
