"""report.html and preview.mp4 as files: what is in them, and what happens when bags are broken."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from drawn_episode import drawn_episode, edited
from PIL import Image

from hoigen.episodes import EpisodeError, EpisodeReader, EpisodeWriter, recover, report, write_episode
from hoigen.episodes.report import write_report
from hoigen.episodes.whole import messages_of
from hoigen.look.colours import ROLE_COLOURS
from hoigen.look.images import image_of

SHOWN = drawn_episode(6, (144, 96), (96, 64), points=2000)
FRAMES, RATE_HZ = 6, 8


@pytest.fixture(scope='module')
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two episodes and their report; read only."""
    folder = tmp_path_factory.mktemp('demo')
    for number in range(2):
        write_episode(
            folder / f'episode_{number:04d}', drawn_episode(6, (144, 96), (96, 64), points=2000, number=number)
        )
    write_report(folder)
    return folder


def contents(folder: Path) -> list[dict]:
    page = (folder / 'report.html').read_text()
    return [json.loads(text) for text in re.findall(r'class="episode">(.*?)</script>', page)]


def picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1]))).convert('RGB'))


def test_page_holds_the_generated_frames_themselves(reported: Path) -> None:
    """Who looks at the report judges the generator's own pixels."""
    for number, content in enumerate(contents(reported)):
        shown = [picture(uri) for uri in content['panels']['generated']]
        made = drawn_episode(6, (144, 96), (96, 64), points=2000, number=number).generated
        np.testing.assert_array_equal(shown, made.frames)


def test_page_shows_the_labels_of_each_frame(reported: Path) -> None:
    """Stamps, object height, forces and fidelity stand at the frame they belong to."""
    content = contents(reported)[0]
    assert content['stamps'] == [f'{stamp_ns / 1e9:.9f}' for stamp_ns in SHOWN.clip.stamps_ns]
    heights = [frame['position'][2] for frame in content['frames']]
    np.testing.assert_allclose(heights, [labels.T_world_object[2, 3] for labels in SHOWN.clip.labels], atol=1e-4)
    assert [len(frame['forces']) for frame in content['frames']] == [0, 0, 0, 4, 4, 4]
    for name in ('value', 'outline', 'motion'):
        np.testing.assert_allclose(content['fidelity'][name], getattr(SHOWN.generated.fidelity, name), atol=1e-4)
    assert content['provenance']['timings'] == {'conditions_s': '0.41', 'generate_s': '9.7'}
    assert content['faults'] == []


def test_what_the_model_read_is_shown_as_it_was_recorded(reported: Path) -> None:
    """Nothing is computed anew: each condition's own images, beside source and generated frames."""
    panels = contents(reported)[0]['panels']
    assert list(panels) == ['source', 'tracking', 'coloured', 'generated']
    with EpisodeReader(reported / 'episode_0000') as reader:
        recorded = reader.condition_images()
    for name, files in recorded.items():
        for uri, file in zip(panels[name], files.values(), strict=True):
            shown = picture(uri).astype(int)
            assert np.abs(shown - image_of(file)).mean() < 4, name  # WebP
            assert (shown > 24).any(axis=-1).mean() > 0.005, name


def test_a_scene_that_no_model_read_is_shown_by_its_mask_and_depth(tmp_path: Path) -> None:
    """As they are recorded: hand and object in the colours of their roles, depth from red to blue."""
    scene = replace(SHOWN, generated=None, status=None, condition_images={}, clip_provenance=SHOWN.provenance)
    write_episode(tmp_path / 'episode_0000', scene)
    write_report(tmp_path)
    panels = contents(tmp_path)[0]['panels']
    assert list(panels) == ['source', 'mask', 'depth', 'generated']
    mask, depth = SHOWN.clip.mask[5], SHOWN.clip.depth_m[5]
    shown, lit = picture(panels['mask'][5]).astype(int), picture(panels['depth'][5]).any(-1)
    for role in (1, 2):
        inside = cv2.erode((mask == role).astype(np.uint8), np.ones((5, 5))) > 0  # WebP
        assert np.abs(shown[inside] - ROLE_COLOURS[role]).mean() < 12
    assert lit[np.isfinite(depth)].mean() > 0.9


def test_an_edited_episode_is_shown_as_it_is_after_the_edit(tmp_path: Path) -> None:
    """Beside the source as it was: labels and mask are those that are true of the edited frames."""
    episode = edited(SHOWN)
    after = replace(episode.edited.scene, mask=np.zeros_like(SHOWN.clip.mask))
    write_episode(tmp_path / 'moved', replace(episode, edited=replace(episode.edited, scene=after)))
    write_report(tmp_path)
    [content] = contents(tmp_path)
    assert (content['edited'], content['task'], content['faults']) == (True, 'as edited', [])
    assert np.abs(picture(content['panels']['mask'][5]).astype(int) - ROLE_COLOURS[0]).max() < 12  # WebP
    assert np.abs(picture(content['panels']['generated'][5]).astype(int) - after.rgb[5]).mean() < 6


def test_page_is_self_contained(reported: Path) -> None:
    """The file can be mailed: it asks for nothing from elsewhere."""
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value or '' for name, value in attrs if name in ('src', 'href', 'data', 'poster'))

    page = (reported / 'report.html').read_text()
    Links().feed(page)
    assert links == ['data:,']
    assert re.findall(r'url\(|@import|https?://', page) == ['http://']  # the SVG namespace
    assert 'http://www.w3.org/2000/svg' in page


def test_preview_is_a_playable_video_that_moves(reported: Path) -> None:
    """preview.mp4 plays everywhere (H.264, yuv420p), shows both episodes and their motion."""
    with av.open(str(reported / 'preview.mp4')) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
        decoded = list(file.decode(stream))
        frames = [frame.to_ndarray(format='rgb24') for frame in decoded]
        seconds = [frame.time for frame in decoded]
        whole_s = float(stream.duration * stream.time_base)
    assert len(frames) == 2 * 2 * FRAMES
    length = (FRAMES - 1) / RATE_HZ + 0.5
    np.testing.assert_allclose(seconds[1], 1 / RATE_HZ, atol=1e-3)
    np.testing.assert_allclose(seconds[FRAMES], length, atol=1e-3)
    np.testing.assert_allclose(whole_s, 4 * length, atol=1e-3)
    height, width = frames[0].shape[:2]
    assert width == 1440
    panels = {'source': frames[0][height // 3 : -80, 60:500], 'generated': frames[0][height // 3 : -80, -500:-60]}
    assert all(panel.std() > 5 for panel in panels.values())
    assert np.abs(frames[0].astype(int) - frames[5]).max() > 60
    assert np.abs(frames[0].astype(int) - frames[len(frames) // 2]).max() > 60


def test_broken_bags_are_named_and_the_others_shown(tmp_path: Path) -> None:
    """One bad episode costs neither the report nor the truth about it."""
    write_episode(tmp_path / 'episode_0000', SHOWN)
    killed = EpisodeWriter(tmp_path / 'episode_0001')
    for message in messages_of(SHOWN):
        if not message[0].startswith(('synth', 'provenance')):
            killed.write(*message)
    killed._bag.flush()
    (tmp_path / 'episode_0002').mkdir()
    (tmp_path / 'episode_0002' / 'x.mcap').write_bytes(b'no bag')
    write_report(tmp_path)
    whole, unfinished, unreadable = contents(tmp_path)
    assert whole['faults'] == []
    assert 'was not closed' in unfinished['faults'][0]
    assert unfinished['panels']['generated'] == [None] * FRAMES
    assert unfinished['fidelity'] == dict.fromkeys(('value', 'outline', 'motion'), [None] * FRAMES)
    assert 'episode_0002' in unreadable['error']


def test_only_new_and_changed_bags_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that grows costs its new episodes; each bag is made anew when it changes, or the code."""
    read: list[str] = []
    view = report.view_episode
    monkeypatch.setattr(report, 'view_episode', lambda bag, name: (read.append(name), view(bag, name))[1])

    def reads() -> list[str]:
        read.clear()
        write_report(tmp_path)
        return sorted(read)

    tiny = drawn_episode(3, (48, 32), (24, 16), points=60)
    for number in range(2):
        write_episode(tmp_path / f'episode_{number:04d}', tiny)
    assert reads() == ['episode_0000', 'episode_0001']
    page = (tmp_path / 'report.html').read_bytes()
    assert reads() == []
    assert (tmp_path / 'report.html').read_bytes() == page
    write_episode(tmp_path / 'episode_0002', tiny)
    shutil.rmtree(tmp_path / 'episode_0000')
    write_episode(tmp_path / 'episode_0000', drawn_episode(4, (48, 32), (24, 16), points=60))
    assert reads() == ['episode_0000', 'episode_0002']
    assert [len(content['times']) for content in contents(tmp_path)] == [4, 3, 3]
    with av.open(str(tmp_path / 'preview.mp4')) as file:
        assert len(list(file.decode(video=0))) == 2 * (4 + 3 + 3)
    shutil.rmtree(tmp_path / 'episode_0001')
    damaged = tmp_path / 'episode_0002' / 'episode_0002.mcap'
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert reads() == ['episode_0002']
    assert [bool(content['faults']) for content in contents(tmp_path)] == [False, True]
    assert len(list((tmp_path / 'report_parts').iterdir())) == 4
    monkeypatch.setattr(report, '_code', lambda: 'of another version')
    assert len(reads()) == 2


def test_a_long_run_has_a_preview_of_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly over the run, so that one that grows needs no movie of an older episode."""
    monkeypatch.setattr(report, 'PREVIEWED', 2)
    for number in range(5):
        write_episode(tmp_path / f'e{number}', drawn_episode(3, (48, 32), (24, 16), points=60))
    write_report(tmp_path)
    assert sorted(file.stem[-2:] for file in (tmp_path / 'report_parts').glob('*.mp4')) == ['e0', 'e4']
    assert len(list((tmp_path / 'report_parts').glob('*.js'))) == len(contents(tmp_path)) == 5


def test_a_rejected_episode_is_shown_with_its_reason_and_its_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes it for a recording that broke, or for one to use: its frames are shown as what they are."""
    captions: list[str] = []
    monkeypatch.setattr('hoigen.look.preview.draw_text', lambda pen, place, text, *_: captions.append(text))
    write_episode(tmp_path / 'episode_0000', drawn_episode(rejected='fidelity: expected 0.5, got 0.3'))
    write_report(tmp_path)
    [content] = contents(tmp_path)
    assert content['rejection'] == 'fidelity: expected 0.5, got 0.3'
    assert content['faults'] == []
    assert all(content['panels']['generated'])
    assert all(content['fidelity']['outline'])
    assert 'rejected' in captions
    assert 'generated' not in captions
    assert content['provenance']['settings']['tries'] == 'fidelity 0.3, seed 7'


def test_frames_whose_fidelity_is_not_known_are_shown_as_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN is read back, is null on the page, and the video does not say "not generated" of a frame that it shows."""
    known = SHOWN.generated.fidelity
    value = np.where(np.arange(FRAMES) == 2, np.float32(np.nan), known.value)
    unknown = replace(SHOWN, generated=replace(SHOWN.generated, fidelity=replace(known, value=value)))
    captions: list[str] = []
    monkeypatch.setattr('hoigen.look.preview.draw_text', lambda pen, place, text, *_: captions.append(text))
    write_episode(tmp_path / 'episode_0000', unknown)
    write_report(tmp_path)
    content = contents(tmp_path)[0]
    assert [value is None for value in content['fidelity']['value']] == [n == 2 for n in range(FRAMES)]
    assert content['panels']['generated'][2]
    assert content['faults'] == []
    assert captions.count('fidelity not measured') == 1
    assert 'not generated' not in captions


def test_a_recovered_recording_is_shown_once(tmp_path: Path) -> None:
    """The bag that recover made stands for the recording it was made of."""
    write_episode(tmp_path / 'episode_0000', SHOWN)
    (tmp_path / 'episode_0000' / 'metadata.yaml').unlink()
    bag = tmp_path / 'episode_0000' / 'episode_0000.mcap'
    bag.write_bytes(bag.read_bytes()[:-100])
    recover(tmp_path / 'episode_0000')
    write_report(tmp_path)
    assert [content['name'] for content in contents(tmp_path)] == ['episode_0000_recovered']


def test_markup_in_a_task_is_text(tmp_path: Path) -> None:
    """A task sentence cannot end the page's script or start one."""
    writer = EpisodeWriter(tmp_path / 'episode_0000')
    for topic, msgtype, stamp_ns, cdr, qos in messages_of(SHOWN):
        writer.write(topic, msgtype, stamp_ns, cdr.replace(b'pick up the ball', b'</script><b>&x;!'), qos)
    writer.close()
    write_report(tmp_path)
    assert contents(tmp_path)[0]['task'].startswith('</script><b>&x;!')


def test_nothing_to_show_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """No empty report is made, and no half of one is left."""
    with pytest.raises(EpisodeError, match='expected at least one episode'):
        write_report(tmp_path)
    (tmp_path / 'episode_0000').mkdir()
    (tmp_path / 'episode_0000' / 'x.mcap').write_bytes(b'no bag')
    with pytest.raises(EpisodeError, match='expected an episode that can be shown'):
        write_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['episode_0000']


def test_the_page_of_an_extraction_stays(tmp_path: Path) -> None:
    """`hoigen extract` wrote a page of its own there; a clip of it can have one of this kind in its own folder."""
    write_episode(tmp_path / 'clip_0000', SHOWN)
    (tmp_path / 'extract.json').write_text('{}')
    (tmp_path / 'report').mkdir()
    (tmp_path / 'report.html').write_text('of the extraction')
    with pytest.raises(EpisodeError, match=r'whose own report\.html this would replace; name one of its clips'):
        write_report(tmp_path)
    assert (tmp_path / 'report.html').read_text() == 'of the extraction'
    assert write_report(tmp_path / 'clip_0000') == tmp_path / 'clip_0000' / 'report.html'
