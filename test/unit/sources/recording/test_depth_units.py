"""One rule for units of depth: said in the first line, checked for plausible depths, refused with the likely unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded import SIZE, BagFile, draw_rgbd, read_here

from hoigen.editing.commands import inputs
from hoigen.sources.recording import RecordingError, RecordingOptions, open_recording
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.options import NotRead

SCENE_M = np.linspace(0.4, 1.1, 24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    ('values', 'asked', 'says'),
    [
        (SCENE_M, None, 'float depth in metres'),
        (SCENE_M.astype(np.float64), 1.0, 'float depth in metres'),
        (SCENE_M * 1000, 0.001, 'float depth in steps of 1 mm'),
        (SCENE_M * 100, 0.01, 'float depth in steps of 10 mm'),
        (np.rint(SCENE_M * 1000).astype(np.uint16), None, 'integer depth in steps of 1 mm'),
        (np.rint(SCENE_M * 1000).astype('>i4'), None, 'integer depth in steps of 1 mm'),
        (np.rint(SCENE_M * 10000).astype(np.uint16), 0.0001, 'integer depth in steps of 0.1 mm'),
    ],
)
def test_every_unit_becomes_metres(values: np.ndarray, asked: float | None, says: str) -> None:
    """The same scene in any unit is the same metres; the option is of floats and integers alike."""
    unit = DepthUnit(asked)
    np.testing.assert_allclose(unit.metres(values, 'd'), SCENE_M, atol=6e-4)
    assert unit.says == says


@pytest.mark.parametrize(
    ('values', 'asked', 'likely'),
    [
        (SCENE_M * 1000, None, r'median 750 in steps of 1 m: this looks like millimetres; say --depth-unit-m 0\.001'),
        (SCENE_M * 100, None, r'this looks like centimetres; say --depth-unit-m 0\.01'),
        (SCENE_M, 0.001, r'median 0\.75 in steps of 0\.001 m: this looks like metres; say --depth-unit-m 1'),
        (np.full((4, 6), 7500, np.uint16), 1.0, r'millimetres; say --depth-unit-m 0\.001'),
        (np.full((4, 6), 1e30, np.float32), None, 'say with --depth-unit-m how many metres a step of it is'),
    ],
)
def test_another_unit_is_refused_with_the_likely_one(values: np.ndarray, asked: float | None, likely: str) -> None:
    with pytest.raises(NotRead, match=r'd: expected depth of 0\.03 to 30 m, got the ' + f'.*{likely}'):
        DepthUnit(asked).metres(values, 'd')


def test_far_walls_and_near_hands_are_in_metres() -> None:
    """Most of a map may be sky or a lens cap: it is refused only where next to nothing in it is in reach."""
    for value in (1000.0, 0.001):
        values = np.full((4, 6), value, np.float32)
        values[0] = 0.5
        np.testing.assert_array_equal(DepthUnit().metres(values, 'd'), values)
    assert np.isnan(DepthUnit().metres(np.zeros((4, 6), np.uint16), 'd')).all()


@pytest.mark.parametrize('ending', ['npy', 'NPY', 'tiff'])
def test_a_folder_of_float_millimetres(tmp_path: Path, ending: str) -> None:
    """Refused when it is opened, read when the unit is said; the first line tells floats from integers."""
    draw_rgbd(tmp_path, ['0', '1'])
    for file in (tmp_path / 'depth').iterdir():
        millimetres = np.full(SIZE[::-1], 712, np.float32)
        if ending == 'tiff':
            Image.fromarray(millimetres).save(file.with_suffix('.tiff'))
        else:
            with file.with_suffix(f'.{ending}').open('wb') as opened:
                np.save(opened, millimetres)
        file.unlink()
    with pytest.raises(RecordingError, match=rf'depth/0\.{ending}: .*median 712.*say --depth-unit-m 0\.001'):
        open_recording(tmp_path, RecordingOptions(frame_rate_hz=5.0))
    read = read_here(tmp_path, frame_rate_hz=5.0, depth_unit_m=0.001)
    assert 'float depth in steps of 1 mm' in read.says
    assert 'integer' not in read.says
    assert read.depth_m[1] is not None
    np.testing.assert_allclose(read.depth_m[1], 0.712, rtol=1e-6)


def test_depth_of_bags_follows_the_same_rule(tmp_path: Path) -> None:
    """32FC1 in millimetres, against its convention, is refused; with its unit it is what 16UC1 is."""
    millimetres, K = np.full(SIZE[::-1], 900, np.uint16), np.array([[90.0, 0, 47.5], [0, 90, 31.5], [0, 0, 1]])
    for kind, encoding in ((np.uint16, '16UC1'), (np.float32, '32FC1')):
        with BagFile(tmp_path / encoding, 'mcap') as bag:
            bag.info('/rgb/camera_info', K, SIZE, 1)
            for stamp in (1, 2):
                bag.image('/rgb/image', np.zeros((*SIZE[::-1], 3), np.uint8), 'rgb8', stamp)
                bag.image('/depth/image', millimetres.astype(kind), encoding, stamp)
    with pytest.raises(RecordingError, match=r'/depth/image: .*looks like millimetres'):
        open_recording(tmp_path / '32FC1')
    for encoding, options in (('16UC1', {}), ('32FC1', {'depth_unit_m': 0.001})):
        read = read_here(tmp_path / encoding, **options)
        assert 'depth in steps of 1 mm' in read.says
        assert all(depth is not None and (depth == np.float32(0.9)).all() for depth in read.depth_m)


def test_depth_of_one_image_follows_the_same_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`hoigen edit insert --depth`: float millimetres are refused, with their unit they are as the PNG beside."""
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / 'scene.png')
    Image.fromarray(np.rint(SCENE_M * 1000).astype(np.uint16)).save(tmp_path / 'd.png')
    np.save(tmp_path / 'd.npy', SCENE_M * 1000)

    def depth(file: str, unit_m: float | None) -> np.ndarray:
        options = inputs.PictureOptions(depth=tmp_path / file, depth_unit_m=unit_m, fov_deg=60)
        return inputs.read_scene(tmp_path / 'scene.png', options).clip.depth_m[0]

    with pytest.raises(RecordingError, match=r'd\.npy: .*looks like millimetres; say --depth-unit-m 0\.001'):
        depth('d.npy', None)
    np.testing.assert_allclose(depth('d.npy', 0.001), depth('d.png', None), atol=6e-4)
    assert capsys.readouterr().out.splitlines() == [
        'd.npy: float depth in steps of 1 mm',
        'd.png: integer depth in steps of 1 mm',
    ]
