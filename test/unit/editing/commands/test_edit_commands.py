"""``hoigen edit insert``, ``move`` and ``remove`` as a person types them; the model is a stand-in that pastes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited_scenes import Paster, simulated, write_episode_bag
from PIL import Image
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer
from same_record import same_record

from hoigen.cli import main
from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.flux_insertion import inserter
from hoigen.editing.records import Edited
from hoigen.editing.subjects.from_frames import handled
from hoigen.episodes import EpisodeReader, load_clip
from hoigen.messages.definitions import typestore
from hoigen.records import EditedFrame, Episode, EpisodeState

BOX_OBJ = '\n'.join(
    [
        *(f'v {x} {y} {z}' for x in (-0.05, 0.05) for y in (-0.05, 0.05) for z in (-0.05, 0.05)),
        'f 1 2 4 3',
        'f 5 7 8 6',
        'f 1 5 6 2',
        'f 3 4 8 7',
        'f 1 3 7 5',
        'f 2 6 8 4',
    ]
)


@pytest.fixture
def paster(monkeypatch: pytest.MonkeyPatch) -> Paster:
    model = Paster()
    monkeypatch.setattr(inserter, 'load_inserter', lambda name: model)
    return model


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A picture of a wall 2 m away whose left half is hidden by a board at 0.4 m, its depth, and a box as a mesh."""
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / 'wall.png')
    depth = np.full((60, 80), 2000, np.uint16)
    depth[:, :40] = 400
    Image.fromarray(depth).save(tmp_path / 'depth.png')
    (tmp_path / 'box.obj').write_text(BOX_OBJ)
    return tmp_path


def insert(room: Path, *more: str) -> int:
    return main(
        [
            'edit',
            'insert',
            str(room / 'wall.png'),
            '--mesh',
            str(room / 'box.obj'),
            '--caption',
            'a grey box',
            '--position',
            '0',
            '0',
            '0.6',
            '--fov-deg',
            '60',
            '--out',
            str(room / 'out'),
            *more,
        ]
    )


def episode_in(bag: Path) -> Episode:
    with EpisodeReader(bag) as reader:
        assert not reader.faults() or '/edit/image' not in reader.counts
        return reader.episode()


def inserted_in(room: Path) -> EditedFrame:
    """The one frame of the edited picture."""
    episode = episode_in(room / 'out' / 'wall_inserted')
    assert episode.edited is not None
    [frame] = episode.edited.frames
    return frame


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('edit') / 'episode_0000'
    write_episode_bag(simulated(), folder)
    return folder


@pytest.fixture(scope='module')
def moved(bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the counterfactual with the mug 3 cm further left was written."""
    folder = tmp_path_factory.mktemp('moved')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inserter, 'load_inserter', lambda name: Paster())
        assert main(['edit', 'move', str(bag), '--by', '-0.03', '0', '0', '--out', str(folder)]) == 0
    return folder


def test_an_object_goes_behind_what_is_nearer(room: Path, paster: Paster) -> None:
    """The edited picture, its true mask and pose; the board that is nearer stays as it was."""
    assert insert(room, '--depth', str(room / 'depth.png')) == 0
    picture = np.asarray(Image.open(room / 'out' / 'wall_inserted.png'))
    frame, mask = inserted_in(room), inserted_in(room).mask
    np.testing.assert_array_equal(frame.rgb, picture)
    assert frame.inserted is not None
    assert mask.any()
    assert not mask[:, :40].any()
    assert (picture[:, :40] == 90).all()
    assert (picture[mask] != 90).any()
    assert frame.inserted.visibility == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(frame.inserted.T_world_object[:3, 3], [0, 0, 0.6])
    edited = episode_in(room / 'out' / 'wall_inserted').edited
    assert edited is not None
    [box] = edited.assets
    np.testing.assert_allclose(np.ptp(box.vertices, axis=0), 0.1, atol=1e-6)
    for file in ('wall_inserted_sheet.png', 'report.html', 'preview.mp4'):
        assert (room / 'out' / file).exists()


def test_without_depth_nothing_hides_it_and_that_is_said(
    room: Path, paster: Paster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert insert(room) == 0
    assert 'wall.png: its depth is not known' in capsys.readouterr().out
    assert inserted_in(room).mask[:, :40].any()


def test_a_network_tells_depth_if_it_tells_metres(
    room: Path, paster: Paster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that tells only order would put the object before or behind things by chance: it is refused."""

    class Network:
        metric = True

        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            return np.where(np.arange(80) < 40, np.float32(0.4), np.float32(2))[None].repeat(60, 0)

    monkeypatch.setattr('hoigen.models.labelling.load_depth', lambda name: {'metres': Network()}[name])
    assert insert(room, '--depth-model', 'metres') == 0
    assert inserted_in(room).mask.any()
    assert not inserted_in(room).mask[:, :40].any()
    monkeypatch.setattr(Network, 'metric', False)
    assert insert(room, '--depth-model', 'metres', '--out', str(room / 'other')) == 1
    assert 'tells only what is nearer' in ' '.join(capsys.readouterr().err.split())


def test_what_is_there_is_kept_and_other_settings_are_refused(
    room: Path, paster: Paster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert insert(room) == 0
    left = room / 'out' / '.wall_inserted'  # by a run that was killed when its bag was written
    left.mkdir()
    assert insert(room) == 0
    assert not left.exists()
    assert 'is there already' in capsys.readouterr().out
    assert paster.inserted == 1
    assert insert(room, '--seed', '5') == 1
    assert 'how.seed: expected 0, got 5; remove it' in ' '.join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ('more', 'says'),
    [
        (['--depth', 'other.png'], "expected depth of the picture's size 80x60, got 40x30"),
        (['--calibration', 'K.txt'], 'got both'),
        (['--size', '0.1', '0.1', '0.1'], 'got both'),
        (['--fov-deg', '200'], 'degrees in [1, 170], got 200'),
        (['--position', '0', '0', '-0.6'], 'before the camera'),
        (['--position', '9', '0', '0.6'], 'inside the 80x60 picture'),
        (['--scale', '1000'], 'millimetres'),
        (['--depth', 'none.png'], 'none.png'),
    ],
)
def test_bad_input_is_told(
    room: Path,
    paster: Paster,
    more: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.fromarray(np.full((30, 40), 400, np.uint16)).save(room / 'other.png')
    (room / 'K.txt').write_text('70 70 39.5 29.5')
    monkeypatch.chdir(room)
    assert insert(room, *more) == 1
    assert says in ' '.join(capsys.readouterr().err.split())
    assert not (room / 'out' / 'wall_inserted').exists()


def test_what_a_mask_covers_is_taken_away(room: Path, paster: Paster, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:20, 30:50] = 255
    Image.fromarray(mask).save(room / 'mask.png')
    arguments = ['edit', 'remove', str(room / 'wall.png'), '--out', str(room / 'out')]
    assert main([*arguments, '--mask', str(room / 'mask.png')]) == 0
    picture = np.asarray(Image.open(room / 'out' / 'wall_removed.png'))
    np.testing.assert_array_equal((picture == Paster.GROUND).all(-1), mask > 0)
    assert main(arguments) == 1
    assert 'mask: expected a picture' in capsys.readouterr().err


def test_a_counterfactual_is_an_episode_with_its_own_truth(bag: Path, moved: Path) -> None:
    """The same grasp with the mug 3 cm further left, beside the scene as it was; what reads clips reads the edit."""
    before, episode = episode_in(bag), episode_in(moved / 'episode_0000_moved')
    same_record(replace(episode, edited=None, status=None), before, atol=1e-12)
    edited, after = episode.edited, load_clip(moved / 'episode_0000_moved')
    assert edited is not None
    assert edited.provenance.source == 'episode_0000'
    assert edited.provenance.config['settings']['movement']['by'] == [-0.03, 0, 0]
    assert np.min(edited.provenance.config['frames']['rerendered']) > 0.95
    assert (episode.status.node, episode.status.state) == ('edit', EpisodeState.ACCEPTED)
    shift = before.clip.cameras[0].T_world_cam[:3, :3] @ [-0.03, 0, 0]
    for t, (was, frame) in enumerate(zip(before.clip.labels, edited.frames, strict=True)):
        now = after.labels[t]
        np.testing.assert_allclose(now.T_world_object[:3, 3] - was.T_world_object[:3, 3], shift, atol=1e-9)
        np.testing.assert_allclose(frame.inserted.T_world_object, now.T_world_object, atol=1e-9)
        assert not (frame.mask & (after.mask[t] != ROLE_CODE[OBJECT])).any()
        np.testing.assert_array_equal(frame.rgb, after.rgb[t])
        np.testing.assert_array_equal(now.action.values, was.action.values)
    assert sorted(path.name for path in moved.iterdir()) == [
        'episode_0000_moved',
        'episode_0000_moved_sheet.png',
        'preview.mp4',
        'report.html',
        'report_parts',
    ]


def test_a_stopped_edit_goes_on_where_it_was(
    bag: Path, moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that were finished are not painted again, and the end is that of an edit in one go."""

    class Stopping(Paster):
        def insert(self, *given: Any, **named: Any) -> Edited:
            if self.inserted == 4:
                raise RuntimeError('the power went')
            return super().insert(*given, **named)

    arguments = ['edit', 'move', str(bag), '--by', '-0.03', '0', '0', '--out', str(tmp_path)]
    monkeypatch.setattr(inserter, 'load_inserter', lambda name: Stopping())
    assert main(arguments) == 1
    again = Paster()
    monkeypatch.setattr(inserter, 'load_inserter', lambda name: again)
    assert main(arguments) == 0
    one, other = load_clip(moved / 'episode_0000_moved'), load_clip(tmp_path / 'episode_0000_moved')
    assert again.inserted == len(one.labels) - 4
    np.testing.assert_array_equal(one.rgb, other.rgb)
    np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize(
    ('task', 'noun'),
    [
        ('lift the yellow mug and carry it to the left', 'yellow mug'),
        ('open the red chest', 'red chest'),
        ('pour from a big bottle into the mug', 'big bottle'),
        ('wave', ''),
    ],
)
def test_what_is_handled_is_read_from_the_sentence(task: str, noun: str) -> None:
    assert handled(task) == noun


def test_an_object_that_is_seen_in_no_frame_is_no_edit(
    room: Path, paster: Paster, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it is behind what is nearer: an error, no finished edit, and the folder is free for another pose."""
    behind = np.full((60, 80), 400, np.uint16)
    Image.fromarray(behind).save(room / 'depth.png')
    assert insert(room, '--depth', str(room / 'depth.png')) == 1
    assert 'expected the object to be seen, got it in none of 1 frames' in ' '.join(capsys.readouterr().err.split())
    assert not (room / 'out' / 'wall_inserted').exists()
    assert insert(room) == 0
    assert 'the object is seen in 1 of 1 frames, 100% of it on average' in capsys.readouterr().out


def test_of_a_picture_no_hand_is_told_of(room: Path, paster: Paster, capsys: pytest.CaptureFixture[str]) -> None:
    """There is none that could touch."""
    assert insert(room) == 0
    assert 'touch' not in capsys.readouterr().out


def test_a_removal_that_changes_nothing_is_an_error(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the mask covers looks as before: nothing is written."""

    class Idle(Paster):
        def remove(self, rgb: np.ndarray, *given: Any, **named: Any) -> np.ndarray:
            return rgb

    monkeypatch.setattr(inserter, 'load_inserter', lambda name: Idle())
    Image.fromarray(np.full((60, 80), 255, np.uint8)).save(room / 'mask.png')
    assert (
        main(['edit', 'remove', str(room / 'wall.png'), '--mask', str(room / 'mask.png'), '--out', str(room / 'out')])
        == 1
    )
    assert 'expected what the mask covers to be gone, got the same colours in 100%' in capsys.readouterr().err
    assert not (room / 'out' / 'wall_removed.png').exists()


@pytest.mark.parametrize('name', ['video.mp4', 'frames', 'raw'])
def test_what_was_not_extracted_says_what_to_run_first(
    name: str, tmp_path: Path, paster: Paster, capsys: pytest.CaptureFixture[str]
) -> None:
    """A video, a folder of frames, and a raw bag."""
    if name == 'video.mp4':
        (tmp_path / name).write_bytes(b'a video')
    elif name == 'frames':
        (tmp_path / name).mkdir()
    else:
        with Rosbag2Writer(tmp_path / name, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            store = typestore()
            topic = writer.add_connection('/camera/note', 'std_msgs/msg/String', typestore=store)
            message = store.types['std_msgs/msg/String']('as it was recorded')
            writer.write(topic, 1, store.serialize_cdr(message, 'std_msgs/msg/String'))
    assert main(['edit', 'move', str(tmp_path / name), '--by', '0.1', '0', '0', '--out', str(tmp_path / 'out')]) == 1
    assert f'hoigen extract {tmp_path / name}' in ' '.join(capsys.readouterr().err.split())
