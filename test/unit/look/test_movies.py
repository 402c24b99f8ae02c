"""Movies: every frame at its own time, whole files only."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from hoigen.look.movies import Movie, write_movie

GREYS = np.stack([np.full((33, 96, 3), 10 * t, np.uint8) for t in range(3)])


def test_a_movie_has_every_frame_at_its_own_time(tmp_path: Path) -> None:
    """Of even size, as the codec wants it."""
    write_movie(tmp_path / 'a.mp4', GREYS, np.array([5_000_000_000, 5_100_000_000, 5_400_000_000]))
    with av.open(str(tmp_path / 'a.mp4')) as file:
        got = [(float(frame.pts * frame.time_base), frame.to_ndarray(format='rgb24')) for frame in file.decode(video=0)]
    np.testing.assert_allclose([time for time, _ in got], [0, 0.1, 0.4], atol=1e-3)
    assert got[2][1].shape == (32, 96, 3)
    assert [round(float(image.mean()) / 10) for _, image in got] == [0, 1, 2]


def test_a_movie_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    write_movie(path, GREYS, np.arange(3) * 10**9)
    before = path.read_bytes()
    with pytest.raises(KeyError), Movie(path) as movie:  # noqa: PT012
        movie.put(GREYS[0], 0)
        raise KeyError
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ['a.mp4']
