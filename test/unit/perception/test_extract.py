"""`hoigen extract`: a recording in, bags, arrays and a page out; resumed, refused, and cut short."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from recorded import write_rgbd, write_video
from simulated_scene import lift

from hoigen.cli import main
from hoigen.episodes import load_clip
from hoigen.perception.extract import COMPLETE, NOTHING, PARTLY, ExtractConfig
from hoigen.perception.perceive import PerceptionConfig
from hoigen.records import Footage
from hoigen.sources.recording import Recording, RecordingError, RecordingOptions


@pytest.fixture(scope='module')
def rgbd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    footage = lift()[0]
    assert footage.depth_m is not None
    assert footage.K is not None
    return write_rgbd(
        tmp_path_factory.mktemp('recorded') / 'lift', footage.rgb, footage.depth_m, footage.K, footage.stamps_ns / 1e9
    )


@pytest.fixture(scope='module')
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp('recorded') / 'lift.mp4', lift()[0].rgb)


@pytest.fixture(scope='module')
def extracted(rgbd: Path) -> Path:
    """What two stretches of it become."""
    out = rgbd.parent / 'extracted'
    assert main(arguments(rgbd, out)) == COMPLETE
    return out


def arguments(rgbd: Path, out: Path) -> list[str]:
    return ['extract', str(rgbd), '--out', str(out), '--frames', '9', '--task', 'lift the carton']


def test_rgbd_gives_a_bag_for_each_stretch(rgbd: Path, extracted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two stretches, two bags with the recording's stamps, arrays, and one page; run again, nothing is made anew."""
    out = extracted
    clips = [load_clip(out / name) for name in ('clip_0000', 'clip_0001')]
    assert np.array_equal(np.concatenate([clip.stamps_ns for clip in clips]), lift()[0].stamps_ns)
    assert [clip.labels[0].episode for clip in clips] == [0, 1]
    arrays = np.load(out / 'clip_0000.npz')
    assert arrays['instance'].shape == (9, 180, 320)
    assert arrays['track_places'].shape[:2] == arrays['track_visible'].shape
    assert json.loads(str(arrays['provenance']))['source'] == 'lift, clip_0000'
    assert (out / 'report.html').stat().st_size > 10_000
    made = {path: path.stat().st_mtime_ns for path in out.glob('clip_*')}
    assert main(arguments(rgbd, out)) == COMPLETE
    said = capsys.readouterr().out
    assert '2 clips of 2 stretches' in said
    assert '17 frames: hand in ' in said, 'counted also where nothing is made anew'
    assert {path: path.stat().st_mtime_ns for path in out.glob('clip_*')} == made


def test_an_interrupted_run_goes_on(rgbd: Path, extracted: Path) -> None:
    """A stretch whose arrays are missing is made again, also where its bag was written already; the others stay."""
    (extracted / 'clip_0001.npz').unlink()
    kept = (extracted / 'clip_0000.npz').stat().st_mtime_ns
    assert main(arguments(rgbd, extracted)) == COMPLETE
    assert (extracted / 'clip_0001.npz').exists()
    assert (extracted / 'clip_0000.npz').stat().st_mtime_ns == kept


def test_other_settings_want_another_folder(rgbd: Path, extracted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Clips that were made in different ways do not end up side by side."""
    assert main([*arguments(rgbd, extracted), '--frames', '8']) == NOTHING
    assert 'frames: expected ' in capsys.readouterr().err


def test_plain_video_gives_what_is_seen(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arrays and a page without places, no bag, status 3, and the command that would get the rest."""
    out = tmp_path / 'out'
    assert main(['extract', str(video), '--out', str(out)]) == PARTLY
    arrays = np.load(out / 'clip_0000.npz')
    assert 'track_places' not in arrays
    assert np.isfinite(arrays['boxes']).any()
    assert not (out / 'clip_0000').exists()
    assert 'hoigen models fetch vggt' in capsys.readouterr().out.replace('\n', ' ')
    assert 'hoigen models fetch vggt' in (out / 'report.html').read_text()


def test_a_truncated_video_gives_its_good_part(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What came before the damage is extracted, and the damage is told."""
    broken = tmp_path / 'broken.mkv'
    write_video(broken, lift()[0].rgb)
    broken.write_bytes(broken.read_bytes()[: -broken.stat().st_size // 3])
    assert main(['extract', str(broken), '--out', str(tmp_path / 'out')]) == PARTLY
    assert 2 < len(np.load(tmp_path / 'out/clip_0000.npz')['stamps_ns']) < 17
    assert 'broken.mkv' in capsys.readouterr().out


def test_what_was_made_before_reading_fails_is_kept(
    rgbd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The decoder dies in the second stretch: the first has its bag and the page, the error is told as it is."""
    read = Recording.stretches

    def dying(self: Recording, frames: int) -> Iterator[Footage]:
        yield next(iter(read(self, frames)))
        raise RecordingError('lift: the decoder died [signal 9]')

    monkeypatch.setattr(Recording, 'stretches', dying)
    out = tmp_path / 'out'
    assert main(['extract', str(rgbd), '--out', str(out), '--frames', '9']) == PARTLY
    assert len(load_clip(out / 'clip_0000').stamps_ns) == 9
    assert (out / 'report.html').exists()
    assert 'the decoder died [signal 9]' in capsys.readouterr().out


@pytest.mark.parametrize(('content', 'says'), [(b'', 'empty.mp4'), (b'no video at all', 'empty.mp4')])
def test_what_is_no_video_is_one_error(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, no folder left behind."""
    path = tmp_path / 'empty.mp4'
    path.write_bytes(content)
    assert main(['extract', str(path), '--out', str(tmp_path / 'out')]) == NOTHING
    assert says in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_photo_is_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / 'one.mp4', lift()[0].rgb[:1])
    assert main(['extract', str(path), '--out', str(tmp_path / 'out')]) == NOTHING
    assert 'expected at least 2 frames' in capsys.readouterr().err


def test_frames_are_checked() -> None:
    with pytest.raises(ValueError, match='frames: expected at least 2'):
        ExtractConfig(Path('x.mp4'), frames=1)


def test_what_a_model_takes_is_one_option() -> None:
    """Frames, size and pace of its training; what is given besides comes first."""
    said = PerceptionConfig(task='lift the cup')
    made = ExtractConfig(Path('x.mp4'), model='cogvideox', perception=said)
    assert (made.frames, made.reading.size, made.reading.rate_hz) == (49, (720, 480), 8.0)
    made = ExtractConfig(Path('x.mp4'), model='cogvideox', perception=said, reading=RecordingOptions(rate_hz=4.0))
    assert (made.reading.size, made.reading.rate_hz) == ((720, 480), 4.0)
    with pytest.raises(ValueError, match=r'task: expected a sentence .*, the prompt of cogvideox, got none'):
        ExtractConfig(Path('x.mp4'), model='cogvideox')
    with pytest.raises(ValueError, match=r'frames: expected 4k\+1 for cogvideox, got 48'):
        ExtractConfig(Path('x.mp4'), model='cogvideox', perception=said, frames=48)


def test_every_stretch_without_a_clip_is_counted_with_its_reason(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No point map of plain video: said with the command that mends it, however many other notes a stretch has; again
    when the run goes on; and by `hoigen generate`, which is given such a folder."""
    out = tmp_path / 'out'
    for _ in range(2):
        assert main(['extract', str(video), '--out', str(out), '--frames', '8', '--no-report']) == PARTLY
        clips, missing, short = capsys.readouterr().out.splitlines()[-3:]
        assert clips == f'0 clips of 3 stretches in {out}'
        assert missing.startswith('no clip of 2 of 3 stretches: no point map, for the recording has no depth')
        assert 'hoigen models fetch vggt' in missing
        assert short == 'no clip of 1 of 3 stretches: expected at least 2 frames, to see what moves, got 1'
    assert main(['generate', '--clips', str(out), '--out', str(tmp_path / 'made')]) == 1
    error = capsys.readouterr().err
    assert f'{out}: an extraction without a clip of 2 stretches: no point map, for' in error


def test_more_frames_than_there_are(video: Path, tmp_path: Path) -> None:
    """Memory is taken for the frames that come, not for those asked for."""
    assert main(['extract', str(video), '--out', str(tmp_path / 'out'), '--frames', '1000000', '--no-report']) == PARTLY
    assert len(np.load(tmp_path / 'out/clip_0000.npz')['stamps_ns']) == 17


@pytest.mark.parametrize('content', ['{"a": "b', '5', '["a"]'])
def test_damaged_settings_are_named(
    content: str, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'extract.json').write_text(content)
    assert main(['extract', str(video), '--out', str(tmp_path)]) == NOTHING
    (error,) = capsys.readouterr().err.splitlines()
    assert f'{tmp_path}/extract.json: expected the settings with which what is there was begun, as JSON, got' in error


def test_names_are_printed_as_they_are(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in the name of a file are no markup."""
    named = tmp_path / '[holiday 2024] clip.mp4'
    named.symlink_to(video)
    short = ['--no-report', '--duration-s', '0.5']
    assert main(['extract', str(named), '--out', str(tmp_path / '[red]out'), *short]) == PARTLY
    out = capsys.readouterr().out
    assert out.count('[holiday 2024] clip.mp4') == 2  # the first line and the bar
    assert f'stretches in {tmp_path}/[red]out' in out
    assert main(['extract', str(tmp_path / '[bold]none.mp4')]) == NOTHING
    assert '[bold]none.mp4' in capsys.readouterr().err
