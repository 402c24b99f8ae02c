"""The files of an extraction's report, without a browser: whole, small, replaced as one, and true in their numbers."""

from __future__ import annotations

import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from perceived_factory import REASON, perceived
from PIL import Image

from hoigen.look.colours import DepthScale
from hoigen.perception.perceive import Perceived
from hoigen.perception.records import Tracks
from hoigen.perception.report import ReportError, write_index, write_part
from hoigen.perception.report.codec import quantise
from hoigen.perception.report.content import PICTURE_PIXELS, content, shrunk
from hoigen.perception.report.facts import camera_motion, facts, frame_rate
from hoigen.perception.report.look import instances, thinned, track_colours
from hoigen.perception.report.overview import overview
from hoigen.records import Footage
from hoigen.records.labels import Hands

MOST_BYTES = 15_000_000
"""What a page of 49 frames at 640x360 may have."""


@pytest.fixture(scope='module')
def seen() -> Perceived:
    return perceived()


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """No file can become larger than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def part_of(page: Path, name: str) -> dict:
    """The JSON in a page's script of that class."""
    found = re.search(f'<script type="application/json" class="{name}">(.*?)</script>', page.read_text())
    assert found
    return json.loads(found[1])


def test_a_page_is_complete_in_itself(seen: Perceived, tmp_path: Path) -> None:
    """Everything is inside: no address of anything else, every picture, and the sheet beside it."""
    page = write_part(tmp_path, 'clip_0007', seen)
    text = page.read_text()
    assert not re.search(r'(src|href)=["\']?(?!data:)[a-z/.]', text)
    assert set(re.findall(r'https?://[^\s"\'<)]+', text)) <= {'http://www.w3.org/2000/svg'}
    data = part_of(page, 'content')
    assert len(data['pictures']) == len(data['times']) == len(seen.footage.stamps_ns)
    assert sorted(path.name for path in page.parent.iterdir()) == ['clip_0007.html', 'clip_0007.png']


def test_a_page_stays_small(tmp_path: Path) -> None:
    """Also where measured depth is noisy and has holes, 49 frames of it stay below the bound."""
    frames = 3
    quiet = perceived(frames, 640, 360)
    random = np.random.default_rng(0)
    assert quiet.geometry is not None
    noise = random.standard_normal(quiet.geometry.depth_m.shape).astype(np.float32)
    depth = quiet.geometry.depth_m * (1 + 0.01 * noise)
    depth[random.random(depth.shape) < 0.2] = np.nan
    rgb = np.clip(quiet.footage.rgb + random.normal(0, 3, quiet.footage.rgb.shape), 0, 255).astype(np.uint8)
    noisy = replace(quiet, geometry=replace(quiet.geometry, depth_m=depth), footage=replace(quiet.footage, rgb=rgb))
    assert write_part(tmp_path, 'noisy', noisy).stat().st_size * 49 / frames < MOST_BYTES


def test_large_pictures_are_shown_smaller() -> None:
    """The page's size does not follow the video's."""
    picture = np.random.default_rng(0).integers(0, 3, (1080, 1920), np.uint8)
    small = shrunk(picture, exact=True)
    assert 0.98 * PICTURE_PIXELS < small.size <= 1.01 * PICTURE_PIXELS
    assert small.shape[1] / small.shape[0] == pytest.approx(16 / 9, rel=0.01)
    assert set(np.unique(small)) == {0, 1, 2}
    assert shrunk(picture[:300, :400]).shape == (300, 400)


def test_an_index_lists_what_lies_in_the_folder(seen: Perceived, tmp_path: Path) -> None:
    """One stretch is the report itself; of several the report shows each in order, also those of an earlier run."""
    page = write_part(tmp_path, 'clip_0000', seen)
    assert write_index(tmp_path, 'walk.mp4').read_bytes() == page.read_bytes()
    write_part(tmp_path, 'clip_0002', replace(seen, notes=('a', 'b')))
    write_part(tmp_path, 'clip_0001', perceived(geometry=False))
    text = write_index(tmp_path, '<walk> & co').read_text()
    cards = [json.loads(line) for line in re.findall('class="card">(.*?)</script>', text)]
    assert [card['name'] for card in cards] == ['clip_0000', 'clip_0001', 'clip_0002']
    assert [card['notes'] for card in cards] == [0, 0, 2]
    assert [card['geometry'] for card in cards] == ['measured depth', None, 'measured depth']
    assert '<title>&lt;walk&gt; &amp; co' in text


def test_an_index_of_nothing_is_refused(tmp_path: Path) -> None:
    """Neither an empty folder nor a page that is not ours becomes a report."""
    with pytest.raises(ReportError, match='expected at least one page'):
        write_index(tmp_path, 'walk.mp4')
    (tmp_path / 'report').mkdir()
    for name in 'ab':
        (tmp_path / 'report' / f'{name}.html').write_text('<p>hello</p>')
    with pytest.raises(ReportError, match=r'a\.html: expected a page that write_part wrote'):
        write_index(tmp_path, 'walk.mp4')
    assert [path.name for path in tmp_path.iterdir()] == ['report'], 'half a report is left behind'


@pytest.mark.parametrize('room', [1000, 60_000])
def test_a_full_disk_is_one_clear_error(seen: Perceived, tmp_path: Path, room: int) -> None:
    """It names the file and the reason; an older page stays as it was and no half one is left."""
    page = write_part(tmp_path, 'clip_0000', seen)
    before = page.read_bytes()
    with full_disk(room), pytest.raises(ReportError, match=r'cannot write .*clip_0000\.html: File too large'):
        write_part(tmp_path, 'clip_0000', replace(seen, notes=('new',)))
    assert page.read_bytes() == before
    assert not list(page.parent.glob('*.part'))


def test_no_text_ends_a_page_early(seen: Perceived, tmp_path: Path) -> None:
    """What came from outside stays inside its script and comes back as it was."""
    nasty = '</script><script>alert(1)</script><!-- content --> \u2028 {title}'
    page = write_part(tmp_path, 'clip_0000', replace(seen, notes=(nasty,)))
    assert part_of(page, 'content')['notes'] == [nasty]
    assert page.read_text().count('</script>') == 3


def test_numbers_survive_within_half_a_step() -> None:
    """Quantised values are as near as their steps allow; NaN stays NaN, also where nothing else is."""
    values = np.random.default_rng(0).normal(0, 3, (40, 50))
    values[3, ::2] = np.nan
    values[4, 1] = np.inf
    kept = quantise(values, 4095)
    known = np.isfinite(values)
    assert np.abs(kept.values() - values)[known].max() <= 0.5001 * kept.step
    assert np.isnan(kept.values()[~known]).all()
    assert kept.codes.max() == 4095, 'the steps that are there are used, and no more'
    assert np.isnan(quantise(np.full((2, 2), np.nan), 9).values()).all()
    np.testing.assert_allclose(quantise(np.full(3, 0.7), 9).values(), 0.7)


@pytest.mark.parametrize(
    ('steps_s', 'words'), [((0.0625,) * 4, '16 Hz'), ((1.0, 1.0, 2.0), 'varies, 0.5 to 1 Hz'), ((), 'one frame')]
)
def test_rates_in_words(steps_s: tuple[float, ...], words: str) -> None:
    """A variable rate is not averaged away."""
    stamps = np.concatenate([[5], 5 + np.cumsum(np.rint(np.array(steps_s) * 1e9))]).astype(np.int64)
    assert frame_rate(stamps) == words


def test_camera_motion(seen: Perceived) -> None:
    """The camera of the synthetic scene goes 10 cm sideways in half a second."""
    assert seen.geometry is not None
    speed, turn = camera_motion(seen.geometry, seen.footage.stamps_ns)
    np.testing.assert_allclose(speed, 0.2, rtol=1e-6)
    still = replace(seen.geometry, cameras=seen.geometry.cameras[:1] * 5)
    assert camera_motion(still, seen.footage.stamps_ns)[0].max() == 0
    assert (turn > 1).all(), 'it keeps looking at the same place'


def test_gaps_and_areas_are_counted(seen: Perceived) -> None:
    """An object that leaves for two frames and a hand that is not detected in one."""
    instance, boxes = seen.segmentation.instance.copy(), seen.boxes.boxes.copy()
    instance[1:3][instance[1:3] == 2] = 0
    boxes[4, 0] = np.nan
    tables = facts(
        replace(
            seen, segmentation=replace(seen.segmentation, instance=instance), boxes=replace(seen.boxes, boxes=boxes)
        )
    )
    assert tables['Object 2']['missing in'] == '1-2'
    assert tables['Object 2']['seen in'] == '3 of 5 frames'
    assert tables['Hand 1']['boxes'] == '4 of 5 frames'
    share = 100 * (seen.segmentation.instance == 1).mean((1, 2))
    assert tables['Hand 1']['area'].startswith(f'{share.mean():.2f} %')
    assert tables['Footage']['frames'] == '5'
    assert tables['Geometry']['lengths'] == 'metres'


def test_hands_are_in_3d_where_they_are_known(seen: Perceived) -> None:
    """A frame without keypoints has none on the page."""
    assert seen.clip is not None
    places = np.arange(63, dtype=np.float32).reshape(1, 21, 3) / 100
    tables = [Hands(('left',), keypoints_m=places if t else np.full_like(places, np.nan)) for t in range(5)]
    labels = tuple(replace(label, hands=own) for label, own in zip(seen.clip.labels, tables, strict=True))
    [hand] = content(replace(seen, clip=replace(seen.clip, labels=labels)), 'clip_0000')['hand_places']
    assert hand['side'] == 'left'
    assert hand['keypoints'][0] is None
    np.testing.assert_allclose(hand['keypoints'][1], places[0])


def test_without_geometry_nothing_in_3d_is_claimed() -> None:
    """No depth, no cameras, no places, no object pose; the reason instead."""
    found = content(perceived(geometry=False), 'clip_0000')
    assert found['reason'] == REASON
    assert 'geometry' not in found
    assert 'object_poses' not in found
    assert 'hand_places' not in found
    assert 'places' not in found['tracks']
    assert 'Geometry' not in found['facts']


def test_tracks_are_thinned_evenly_and_keep_their_colour() -> None:
    """No instance loses its share to another; a track's colour is that of where it began, whatever is drawn."""
    count = np.array([3000, 40, 700])
    instance = np.repeat(np.arange(3, dtype=np.uint8), count)
    pixels = np.random.default_rng(0).uniform(0, 100, (2, count.sum(), 2)).astype(np.float32)
    tracks = Tracks(pixels, np.ones(pixels.shape[:2], bool), instance, np.zeros(count.sum(), np.int32), None)
    assert np.bincount(instance[thinned(tracks)]).tolist() == [500, 40, 500]
    moved = replace(tracks, pixels=np.stack([pixels[0], pixels[0] + 30]))
    np.testing.assert_array_equal(track_colours(tracks, 100, 100), track_colours(moved, 100, 100))
    assert len(np.unique(track_colours(tracks, 100, 100), axis=0)) > 500


def test_instances_differ_in_colour() -> None:
    """Two hands and two objects: four colours, hands warm and objects cold, numbered as in the masks."""
    found = instances(np.array([1, 2, 1, 2], np.uint8))
    assert [one.name for one in found] == ['hand 1', 'object 2', 'hand 3', 'object 4']
    assert len({one.colour for one in found}) == 4
    assert all((one.rgb[0] > one.rgb[2]) == (one.role == 'hand') for one in found)


def test_depth_colours_run_from_near_to_far() -> None:
    """Red is near, blue is far, unknown is black, and what lies beyond the scale keeps its end's colour."""
    near, far, beyond, unknown = DepthScale(0.5, 2.0).colours(np.array([0.5, 2.0, 9.0, np.nan])).astype(int)
    assert near[0] > near[2] + 50
    assert far[2] > far[0]
    assert beyond.tolist() == far.tolist()
    assert unknown.tolist() == [0, 0, 0]


@pytest.mark.parametrize(('geometry', 'rows'), [(True, 3), (False, 2)])
def test_the_sheet_shows_rows_of_frames(geometry: bool, rows: int, tmp_path: Path) -> None:
    """Four frames across, first and last among them; the row of depth only where there is depth."""
    found = perceived(geometry=geometry)
    picture = overview(found)
    wide, tall, head = 400, 267, 50
    assert picture.shape == (head + rows * (tall + 6) + 30, 2 * 20 + 4 * wide + 3 * 6, 3)
    Image.fromarray(picture).save(tmp_path / 'sheet.png')
    tiles = [
        picture[head + r * (tall + 6) :][:tall, 20 + c * (wide + 6) :][:, :wide] for r in range(rows) for c in range(4)
    ]
    assert all(tile.std() > 10 for tile in tiles)
    assert len({tile.tobytes() for tile in tiles}) == len(tiles)


@pytest.mark.parametrize('frames', [1, 2])
def test_a_short_stretch_has_a_page(seen: Perceived, frames: int, tmp_path: Path) -> None:
    """Even a single frame is shown."""
    assert seen.geometry is not None
    footage, geometry, tracks = seen.footage, seen.geometry, seen.tracks
    assert footage.depth_m is not None
    short = replace(
        seen,
        clip=None,
        footage=Footage(footage.stamps_ns[:frames], footage.rgb[:frames], footage.depth_m[:frames], footage.K),
        geometry=replace(
            geometry,
            cameras=geometry.cameras[:frames],
            depth_m=geometry.depth_m[:frames],
            confidence=geometry.confidence[:frames],
        ),
        segmentation=replace(seen.segmentation, instance=seen.segmentation.instance[:frames]),
        boxes=replace(seen.boxes, boxes=seen.boxes.boxes[:frames], score=seen.boxes.score[:frames]),
        tracks=replace(
            tracks,
            pixels=tracks.pixels[:frames],
            visible=tracks.visible[:frames],
            places=tracks.places[:frames] if tracks.places is not None else None,
        ),
    )
    data = part_of(write_part(tmp_path, 'short', short), 'content')
    assert len(data['geometry']['speed']) == frames - 1
