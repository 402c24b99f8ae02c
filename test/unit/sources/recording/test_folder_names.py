"""Stamps only from names that clearly hold them; depth beside colour in any layout; calibrations as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded import SIZE, draw_rgbd, picture, read_here, write_calibration

from hoigen.sources.recording import RecordingError
from hoigen.sources.recording.calibration import read_calibration

K = '"fx": 100, "fy": 101, "cx": 47, "cy": 31'


def images(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(picture(number)).save(folder / name)
    return folder


def depths(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full(SIZE[::-1], 800 + number, np.uint16)).save(folder / name)


@pytest.mark.parametrize(
    ('first', 'second', 'step_ms'),
    [
        ('Screenshot 2024-05-06 at 10.15.07', 'Screenshot 2024-05-06 at 10.15.14', 7000),
        ('Screenshot 2024-05-06 at 11.59.59\u202fAM', 'Screenshot 2024-05-06 at 12.00.01\u202fPM', 2000),
        ('IMG_20240506_235959', 'IMG_20240507_000001', 2000),
        ('PXL_20240506_101507120', 'PXL_20240506_101507620', 500),
        ('2024-05-06T10-15-07.250', '2024-05-06T10-15-08.000', 750),
        ('left_12.5', 'left_12.75', 250),
    ],
)
def test_names_that_hold_a_time(tmp_path: Path, first: str, second: str, step_ms: float) -> None:
    read = read_here(images(tmp_path, f'{first}.png', f'{second}.png'))
    np.testing.assert_allclose(np.diff(read.stamps_ms), [step_ms], atol=0.01)


@pytest.mark.parametrize(
    'names',
    [
        ('a 10.15.07', 'a 10.15.14'),
        ('Screenshot 2024-05-06 at 10.15', 'Screenshot 2024-05-06 at 10.16'),
        ('0000000000001', '0000000000002'),
        ('IMG_20240506_101507', 'PXL_20240506_101507'),
        ('a_v1.5', 'a_v1.6'),
        ('IMG_20241306_101507', 'IMG_20241306_101508'),
        ('99999999999999999999.5', '99999999999999999999.7'),
        ('frame\u00b2_0', 'frame\u00b2_1'),
        ('\u00b2', '\u00b3'),
    ],
)
def test_names_that_hold_none_want_a_rate(tmp_path: Path, names: tuple[str, str]) -> None:
    """Times of day in two readings, padded numbers, one time twice, versions, no date, beyond all clocks."""
    folder = images(tmp_path, *(f'{name}.png' for name in names))
    with pytest.raises(RecordingError, match='say with frame_rate_hz'):
        read_here(folder)
    assert read_here(folder, frame_rate_hz=4.0).stamps_ms == [0.0, 250.0]


def test_two_cameras_in_a_folder(tmp_path: Path) -> None:
    """Frames of two cameras are never taken for one recording; a folder of photos with other names is."""
    images(tmp_path / 'two', *(f'{side}_{n}.png' for n in range(3) for side in ('left', 'right')))
    with pytest.raises(RecordingError, match=r'two: .*got left_#\.png and right_#\.png with the same numbers'):
        read_here(tmp_path / 'two', frame_rate_hz=4.0)
    images(tmp_path / 'photos', 'IMG_1.png', 'IMG_2.png', 'DSC_7.png')
    assert len(read_here(tmp_path / 'photos', frame_rate_hz=4.0).rgb) == 3


def test_depth_beside_colour_in_one_folder(tmp_path: Path) -> None:
    """As DexYCB lays it out, with what else lies there."""
    images(tmp_path, *(f'color_{n:06d}.jpg' for n in range(3)), *(f'mask_{n:06d}.png' for n in range(3)))
    depths(tmp_path, *(f'aligned_depth_to_color_{n:06d}.png' for n in (0, 2)))
    with pytest.raises(RecordingError, match='DexYCB has it in calibration/intrinsics/'):
        read_here(tmp_path, frame_rate_hz=10.0)
    (tmp_path / 'Calibration.YML').write_text('color:\n  fx: 100\n  fy: 100\n  ppx: 47.5\n  ppy: 31.5\n')
    read = read_here(tmp_path, frame_rate_hz=10.0)
    assert [round(float(depth.max()), 4) for depth in read.depth_m if depth is not None] == [0.8, 0.801]
    assert read.faults == ['1 of 3 pictures left out: no depth of the same number']
    assert len(read_here(tmp_path, frame_rate_hz=10.0, depth='none').rgb) == 3


def test_which_number_pairs(tmp_path: Path) -> None:
    """The one that both have in common: Redwood's names end in a time of their own; a constant number says nothing."""
    images(tmp_path / 'rgb', *(f'{n:07d}-{n * 33_000:012d}.jpg' for n in range(1, 4)))
    depths(tmp_path / 'depth', *(f'{n:07d}-{n * 33_000 + 500:012d}.png' for n in range(1, 4)))
    with pytest.raises(RecordingError, match=r'Redwood.s scans have 525 525 319\.5 239\.5'):
        read_here(tmp_path, frame_rate_hz=30.0)
    write_calibration(tmp_path, SIZE)
    assert len(read_here(tmp_path, frame_rate_hz=30.0).rgb) == 3
    for name in ('rgb', 'depth'):
        for file in sorted((tmp_path / name).iterdir()):
            file.rename(file.with_stem(f'{int(file.stem[:7]):03d}_camera0'))
    assert len(read_here(tmp_path, frame_rate_hz=30.0).rgb) == 3


def test_numbers_that_are_shifted_are_refused(tmp_path: Path) -> None:
    """Images from 0 and depth from 1 might be one frame apart or not."""
    draw_rgbd(tmp_path, ['0', '1', '2'])
    for n in (3, 2, 1):
        (tmp_path / f'depth/{n - 1}.png').rename(tmp_path / f'depth/{n}.png')
    with pytest.raises(
        RecordingError, match='depth: expected the numbers of the images, which begin at 0, got as many that begin at 1'
    ):
        read_here(tmp_path, frame_rate_hz=5.0)


def test_layouts_that_must_be_unpacked(tmp_path: Path) -> None:
    """Named, with the commands."""
    for name in ('stray/depth', 'stray/confidence', 'hoi4d/align_rgb', 'hoi4d/align_depth'):
        (tmp_path / name).mkdir(parents=True)
    for name in ('stray/rgb.mp4', 'stray/camera_matrix.csv', 'hoi4d/align_rgb/image.mp4'):
        (tmp_path / name).touch()
    for name, says in (('stray', 'Stray Scanner.*ffmpeg -i rgb.mp4'), ('hoi4d', 'HOI4D.*align_depth/depth_video.avi')):
        with pytest.raises(RecordingError, match=says):
            read_here(tmp_path / name)


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        (
            'cal.yaml',
            '%YAML:1.0\n---\nimage_width: 96\nimage_height: 64\ncamera_matrix: !!opencv-matrix\n   rows: 3\n'
            '   cols: 3\n   dt: d\n   data: [ 100., 0., 47., 0., 101., 31., 0., 0., 1. ]\n',
        ),
        ('cal.json', '\ufeff{"width": 96, "height": 64, ' + K + '}'),
        ('cal.JSON', '{' + K + '}'),
        ('cal.TXT', '100 101 47 31\n'),
        ('cal.yml', 'Camera_Matrix: {data: [100, 0, 47, 0, 101, 31, 0, 0, 1]}\n'),
    ],
)
def test_calibrations_as_programs_write_them(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(read_calibration(tmp_path / name).K, [[100, 0, 47], [0, 101, 31], [0, 0, 1]])


@pytest.mark.parametrize(
    ('name', 'text', 'says'),
    [
        ('cal.json', '{"width": "360px", "height": 64, ' + K + '}', "width: expected a number of pixels, got '360px'"),
        ('cal.json', '{"resolution": [1, {}], ' + K + '}', 'resolution: expected a number of pixels'),
        ('cal.yaml', 'a: &x [1]\nb: *x\n', 'aliases'),
        ('cal.yaml', 'a: [\n\n\n', 'cannot be read'),
        ('cal.yaml', 'a: 2024-99-99\n', 'cannot be read'),
        ('cal.json', '[' * 99_999, 'recursion'),
        ('cal.json', '{"K": [1' + '0' * 400 + ', 0, 0, 0, 1, 0, 0, 0, 1]}', 'expected K'),
        ('cal.yaml', '1: 2\n', 'got none'),
        ('cal.json', '', 'an empty file'),
    ],
)
def test_calibrations_that_say_nothing_are_one_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match=rf'{name}: .*{says}') as refused:
        read_calibration(tmp_path / name)
    assert '\n' not in str(refused.value)
