"""A bag holds an episode and gives it back; arrays and videos are exports of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from drawn_episode import MADE, drawn_episode, edited, footage_clip
from same_record import same_record

from hoigen.cli import main
from hoigen.episodes import EpisodeError, load_clip, write_episode
from hoigen.provenance import provenance_from_json
from hoigen.records import EditedClip, Episode, MeshFrame, RecordError
from hoigen.sources.recording import read_still

DRAWN = drawn_episode(), drawn_episode(number=1, rejected='fidelity: expected 0.5, got 0.3')


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one episode that was generated and one that was rejected."""
    folder = tmp_path_factory.mktemp('exported') / 'run'
    for number, episode in enumerate(DRAWN):
        write_episode(folder / f'episode_{number:04d}', episode)
    return folder


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        ({'mesh_frames': ()}, 'mesh_frames: expected 5'),
        ({'assets': ()}, 'mesh_frames: expected 5, or none and no assets'),
        ({'depth_m': np.zeros((4, 64, 96), np.float32)}, 'depth_m: expected'),
        ({'rejected': DRAWN[0].generated}, 'generated, rejected, edited: expected one of them at most'),
        ({'edited': EditedClip((), MADE), 'generated': None}, "edited.stamps_ns: expected the clip's"),
        ({'rejected': DRAWN[0].generated, 'generated': None}, 'status: expected rejected where the frames are'),
    ],
)
def test_an_episode_that_does_not_fit_together_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError, match=says.replace('(', r'\(')):
        replace(DRAWN[0], **change)


def test_a_mesh_may_be_missing_in_frames_of_a_recording_alone() -> None:
    """A simulator knows where everything is, a recording does not; meshes that there are not are in neither."""
    rest = DRAWN[0].mesh_frames[1:]
    lacking, other = MeshFrame({}, {}), MeshFrame({'other': np.eye(4)}, {})
    with pytest.raises(RecordError, match=r'mesh_frames: expected the assets .* got others in frames \[0\]'):
        replace(DRAWN[0], clip_provenance=None, mesh_frames=(lacking, *rest))
    assert replace(DRAWN[0], clip_provenance=MADE, mesh_frames=(lacking, *rest)).mesh_frames[0] is lacking
    with pytest.raises(RecordError, match=r'got others in frames \[0\]'):
        replace(DRAWN[0], clip_provenance=MADE, mesh_frames=(other, *rest))


def test_the_first_image_of_a_scene_is_exported(run: Path, tmp_path: Path) -> None:
    """Under the name by which `hoigen generate --first-image FOLDER` reads it."""
    assert main(['episode', 'export', str(run), '--format', 'first-image', '--out', str(tmp_path)]) == 0
    assert np.array_equal(read_still(tmp_path / 'episode_0000.png'), DRAWN[0].clip.rgb[0])


def test_arrays_hold_the_frames_and_what_is_true_of_them(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every generated episode, and not of the rejected one, which is exported where it is named."""
    assert main(['episode', 'export', str(run), '--format', 'arrays']) == 0
    printed = capsys.readouterr().out
    assert f'1 of 1 episodes exported to {run / "export"}' in printed
    want = DRAWN[0].generated
    assert want is not None
    assert [file.name for file in (run / 'export').iterdir()] == ['episode_0000.npz']
    with np.load(run / 'export' / 'episode_0000.npz') as made:
        np.testing.assert_array_equal(made['frames'], want.frames)
        np.testing.assert_array_equal(made['fidelity'], want.fidelity.value)
        np.testing.assert_array_equal(made['stamps_ns'], want.stamps_ns)
        np.testing.assert_array_equal(made['K'][0], want.cameras[0].K)
        np.testing.assert_array_equal(made['action'][3], want.labels[3].action.values)
        assert (made['action_names'][1], made['action_units'][1]) == ('joint_1', 'rad')
        np.testing.assert_allclose(made['T_world_object'][3, 0], want.labels[3].T_world_object, atol=1e-12)
        np.testing.assert_array_equal(made['hand_keypoints_m'][3], want.labels[3].hands.keypoints_m)
        assert (list(made['object_ids']), list(made['hand_sides'])) == (['ball'], ['right'])
        assert made['contact_force_n'][-1] > 0
        assert provenance_from_json(str(made['provenance'])) == want.provenance
    bag = run / 'episode_0001.rejected'
    assert main(['episode', 'export', str(bag), '--format', 'arrays', '--out', str(tmp_path)]) == 0
    with np.load(tmp_path / f'{bag.name}.npz') as made:
        np.testing.assert_array_equal(made['frames'], DRAWN[1].rejected.frames)


def test_a_video_shows_scene_conditions_and_generated_frames(run: Path, tmp_path: Path) -> None:
    """Side by side, each at twice its size, one frame for each of the episode's; of one bag, in a folder of choice."""
    bag, out = run / 'episode_0000', tmp_path / 'videos'
    assert main(['episode', 'export', str(bag), '--format', 'video', '--out', str(out)]) == 0
    with av.open(str(out / 'episode_0000.mp4')) as movie:
        frames = [frame.to_ndarray(format='rgb24') for frame in movie.decode(video=0)]
    assert len(frames) == len(DRAWN[0].clip.stamps_ns)
    assert frames[0].shape == (64, 4 * 96, 3)


def test_an_edited_episode_is_exported_too(tmp_path: Path) -> None:
    """Its frames with the mask and pose of what was put in, and the scene beside them at their own size."""
    want = edited(DRAWN[0])
    write_episode(tmp_path / 'moved', want)
    for form in ('arrays', 'video'):
        assert main(['episode', 'export', str(tmp_path / 'moved'), '--format', form]) == 0
    frame = want.edited.frames[3]
    with np.load(tmp_path / 'export' / 'moved.npz') as made:
        for name, array in (('frames', frame.rgb), ('depth_m', frame.depth_m), ('mask', frame.mask)):
            np.testing.assert_array_equal(made[name][3], array)
        np.testing.assert_allclose(made['T_world_inserted'][3], frame.inserted.T_world_object, atol=1e-12)
        assert (str(made['task']), str(made['caption']), made['visibility'][3]) == ('as edited', 'a cup', 0.5)
        assert provenance_from_json(str(made['provenance'])) == want.edited.provenance
    with av.open(str(tmp_path / 'export' / 'moved.mp4')) as movie:
        shown = [frame.to_ndarray(format='rgb24') for frame in movie.decode(video=0)]
    assert (len(shown), shown[0].shape) == (len(want.edited.frames), (64, 2 * 96, 3))


def test_what_is_made_of_an_edited_episode_is_made_of_its_edit(tmp_path: Path) -> None:
    """Never of the scene as it was before, in silence: frames that were edited alone are refused."""
    want = edited(DRAWN[0])
    write_episode(tmp_path / 'moved', want)
    same_record(load_clip(tmp_path / 'moved'), want.edited.scene, atol=1e-12)
    write_episode(tmp_path / 'live', edited(DRAWN[0], scene=False))
    with pytest.raises(EpisodeError, match=r'live: .*edited frames: expected their conditions'):
        load_clip(tmp_path / 'live')


def test_nothing_to_export_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clip of a recording has no generated frames; a folder without bags is a mistake."""
    write_episode(tmp_path / 'clip_0000', Episode(footage_clip(), MADE))
    assert main(['episode', 'export', str(tmp_path), '--format', 'arrays']) == 1
    assert 'clip_0000 not exported: it has no generated or edited frames' in capsys.readouterr().out
    assert main(['episode', 'export', str(tmp_path / 'none'), '--format', 'arrays']) == 1
    assert 'expected at least one episode' in capsys.readouterr().err
    assert not (tmp_path / 'export').exists()
