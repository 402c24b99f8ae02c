"""A set larger than memory reads as one that is held in it."""

from __future__ import annotations

import numpy as np
import pytest

from hoigen.editing.data.records import DataError, Rows, bytes_of, write_scene


@pytest.fixture
def scenes(tmp_path):
    """Three scenes of 2, 1 and 3 rows."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 4, (count, 40, 50), np.uint8) for count in (2, 1, 3)]
    paths = [tmp_path / f'scene_{n:06d}.npz' for n in range(3)]
    for path, array in zip(paths, arrays, strict=True):
        write_scene(path, {'view_rgb': array}, compress=True)
    return paths, np.concatenate(arrays)


def test_rows_are_those_of_the_whole(scenes):
    paths, whole = scenes
    rows = Rows(paths, 'view_rgb', [2, 1, 3])
    assert rows.shape == whole.shape
    for row in [*range(6), -1]:
        assert np.array_equal(rows[row], whole[row])
    assert np.array_equal(rows[3, [2, 0]], whole[3, [2, 0]])
    assert np.array_equal(rows[np.int64(2), 1], whole[2, 1])
    with pytest.raises(IndexError, match='below 6, got 6'):
        rows[6]


def test_a_row_may_be_painted_over(scenes):
    """What is given is the reader's own: the next one sees the file's."""
    paths, whole = scenes
    rows = Rows(paths, 'view_rgb', [2, 1, 3])
    rows[0][:] = 0
    assert np.array_equal(rows[0], whole[0])


def test_how_much_memory_a_set_takes(scenes):
    """Compressed files tell what they hold, not what they take on disk."""
    paths, whole = scenes
    assert whole.nbytes <= bytes_of(paths) <= whole.nbytes + 3 * 256


def test_what_is_no_scene_is_refused(tmp_path, scenes):
    broken = tmp_path / 'broken.npz'
    broken.write_bytes(b'PK and no more')
    with pytest.raises(DataError, match=r'broken\.npz: expected a scene file'):
        bytes_of([broken])
    with pytest.raises(DataError, match="expected a scene file with 'rgb'"):
        Rows(scenes[0], 'rgb', [2, 1, 3])
