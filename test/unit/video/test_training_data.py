"""Clips for training: the format is checked before hours are spent, folders are mixed, bags become clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_episode import drawn_episode
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from small_training import SIZE, write_clips
from synthetic_scene import moving_scene

from hoigen.conditioning import build_clip, window
from hoigen.episodes import EpisodeError, write_episode
from hoigen.video.check import check_clips
from hoigen.video.clips import make_clips, starts
from hoigen.video.data import ClipSet, DataError
from hoigen.video.options import ClipsConfig

FITS = {'frames': 5, 'cloud': 32, **SIZE, 'quiet': True}


def changed(folder: Path, **tensors: np.ndarray | None) -> Path:
    """The first clip of the folder with other tensors; None takes one away."""
    path = sorted(folder.glob('*.safetensors'))[0]
    with safe_open(path, framework='np') as file:
        facts = file.metadata()
    save_file({k: v for k, v in (load_file(path) | tensors).items() if v is not None}, path, facts)
    return path


def test_good_clips_pass(tmp_path):
    check_clips(ClipSet([write_clips(tmp_path)]).paths, **FITS)
    changed(tmp_path, stamps_ns=None)
    check_clips(ClipSet([tmp_path]).paths, **FITS)


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ('frames', r'rgb: expected U8 \[5, 32, 48, 3\], got U8 \[4, 32, 48, 3\]'),
        ('size', r'rgb: expected U8 \[5, 32, 48, 3\], got U8 \[5, 16, 48, 3\]'),
        ('type', r'rgb: expected U8 \[5, 32, 48, 3\], got F32'),
        ('missing', r"expected the tensors of a clip, missing \['tracking'\]"),
        ('nan', r'points: expected finite values, got 3 that are not'),
        ('few', r'points: expected at least 32, got 8 \(make clips with more: --points\)'),
        ('empty', r'points: expected at least 32, got 0 \(an empty cloud\)'),
        ('unseen', r'visible: expected a point in view in some frame, got none'),
        ('role', r'mask: expected role codes 0 to 2, got 7'),
        ('colours', r'tracking: expected red and green by column and row of frame 0, got 2\d\d levels off'),
        ('stamps', r'stamps_ns: expected rising stamps, got a step of -5 ns'),
        ('cut', r'expected a whole safetensors file, got: '),
        ('prompt', r'metadata: expected info, JSON with a prompt'),
    ],
)
def test_a_clip_that_does_not_fit_is_named_before_training(tmp_path, fault, says):
    """One bad file of thousands must show in the first minute, not at hour ten."""
    path = sorted(write_clips(tmp_path).glob('*.safetensors'))[0]
    t = load_file(path)
    cloud = {name: t[name] for name in ('points', 'pixels', 'visible')}
    nan = t['points'].copy()
    nan[2, 4] = np.nan
    mask = t['mask'].copy()
    mask[0, 0, 0] = 7
    change = {
        'frames': {'rgb': t['rgb'][:4]},
        'size': {'rgb': t['rgb'][:, :16]},
        'type': {'rgb': t['rgb'].astype('f4')},
        'missing': {'tracking': None},
        'nan': {'points': nan},
        'unseen': {'visible': t['visible'] * 0},
        'few': {n: v[:, :8] for n, v in cloud.items()} | {'role': t['role'][:8]},
        'empty': {n: v[:, :0] for n, v in cloud.items()} | {'role': t['role'][:0]},
        'role': {'mask': mask},
        'colours': {'tracking': t['tracking'][:, ::-1, ::-1]},
        'stamps': {'stamps_ns': np.array([0, 9, 4, 20, 30])},
    }.get(fault)
    if change is not None:
        changed(tmp_path, **{n: None if v is None else np.ascontiguousarray(v) for n, v in change.items()})
    elif fault == 'cut':
        path.write_bytes(path.read_bytes()[:-50])
    else:
        save_file(t, path, {'info': json.dumps({'seed': 1})})
    with pytest.raises(DataError, match=rf'1 clips cannot be used:\n.*0000000.safetensors: .*{says}'):
        check_clips(ClipSet([tmp_path]).paths, **FITS)


def test_many_bad_clips_are_counted_and_ten_are_named(tmp_path):
    write_clips(tmp_path, 1)
    for number in range(11):
        (tmp_path / f'bad{number:02d}.safetensors').write_bytes(b'no')
    with pytest.raises(DataError, match=r'(?s)11 clips cannot be used.*bad09.*\.\.\. and 1 more$') as error:
        check_clips(ClipSet([tmp_path]).paths, **FITS)
    assert 'bad10' not in str(error.value)


def test_an_epoch_has_every_clip_once_and_a_longer_run_begins_like_a_shorter_one(tmp_path):
    clips = ClipSet([write_clips(tmp_path / 'a', 3), write_clips(tmp_path / 'b', 2)])
    order = clips.order(seed=4, count=50)
    assert (np.sort(order.reshape(10, 5), axis=1) == np.arange(5)).all()
    assert (clips.order(4, 20) == order[:20]).all()
    assert (clips.order(5, 50) != order).any()


def test_folders_are_mixed_by_their_weights(tmp_path):
    """Both domains in one run: 2 recorded clips as often as 3 simulated ones, however many there are."""
    folders = [write_clips(tmp_path / 'sim', 3), write_clips(tmp_path / 'real', 2)]
    order = ClipSet(folders, (1, 3)).order(0, 4000)
    assert abs((order >= 3).mean() - 0.75) < 0.03
    counts = np.bincount(order)
    assert counts[:3].max() - counts[:3].min() <= 1
    assert counts[3:].max() - counts[3:].min() <= 1
    with pytest.raises(DataError, match=r'weights: expected 2 numbers > 0, one for each folder of clips, got \[1\]'):
        ClipSet(folders, (1,))


def test_a_folder_without_clips_says_how_to_make_them(tmp_path):
    with pytest.raises(DataError, match=f'hoigen clips --out {tmp_path}'):
        ClipSet([tmp_path])


def test_recorded_episodes_become_clips(tmp_path, capsys):
    """Training reads what `hoigen up` recorded; a damaged episode is named and the others are used."""
    for number, frames in enumerate((7, 4)):
        write_episode(tmp_path / 'run' / f'episode_000{number}', drawn_episode(frames, (180, 120), points=256))
    config = ClipsConfig(out=tmp_path / 'clips', from_bags=tmp_path / 'run', frames=5, points=64, workers=1, **SIZE)
    assert make_clips(config) == 1
    printed = capsys.readouterr().out
    assert 'episode_0001: expected at least 5 frames, got 4' in printed.replace('\n', '')
    clips = ClipSet([tmp_path / 'clips'])
    assert [path.name for path in clips.paths] == [
        'run_episode_0000_00000.safetensors',
        'run_episode_0000_00002.safetensors',
    ]
    check_clips(clips.paths, **FITS)
    assert clips.info(0) == {'episode': 'episode_0000', 'prompt': 'pick up the ball'}
    first, second = (load_file(path) for path in clips.paths)
    assert (first['stamps_ns'][2:] == second['stamps_ns'][:3]).all()
    assert (first['rgb'][2:] == second['rgb'][:3]).all()


def test_a_folder_without_episodes_is_refused(tmp_path):
    with pytest.raises(EpisodeError, match='expected at least one episode'):
        make_clips(ClipsConfig(out=tmp_path / 'clips', from_bags=tmp_path))


def test_clips_cover_an_episode_to_its_end():
    assert starts(17, 17) == [0]
    assert starts(40, 17) == [0, 17, 23]
    assert starts(34, 17) == [0, 17]


def test_a_window_is_what_would_have_been_built_of_its_frames():
    """Colours come from the window's own first frame: what frame 0 of the episode showed is not known there."""
    assets, frames = moving_scene(frames=7)
    clip = build_clip(assets, frames)
    part, alone = window(clip, 2, 7), build_clip(assets, frames[2:])
    for name in ('stamps_ns', 'rgb', 'mask', 'points', 'point_visible', 'tracks'):
        assert (getattr(part, name) == getattr(alone, name)).all(), name
    same = part.point_rgb_known == alone.point_rgb_known  # but for places that float32 put on another pixel
    assert same.mean() > 0.99
    assert (abs(part.point_rgb[same].astype(int) - alone.point_rgb[same]) <= 2).mean() > 0.99
    assert (part.point_rgb_known != clip.point_rgb_known).mean() > 0.03
    assert (window(clip, 0, 5).point_rgb == clip.point_rgb).all()


def test_looks_of_an_episode_share_what_the_geometry_tells(tmp_path):
    """Each look is a clip of its own with its own words and empty scene; a longer run only adds."""
    config = ClipsConfig(out=tmp_path, count=1, looks=2, width=96, height=64, points=64, workers=1)
    assert make_clips(config) == 0
    clips = ClipSet([tmp_path])
    assert [path.name for path in clips.paths] == ['0000000.safetensors', '0000000_1.safetensors']
    assert torch.equal(clips.tracking(0), clips.tracking(1))
    assert not torch.equal(clips.image(0), clips.image(1))
    assert clips.info(0)['prompt'] != clips.info(1)['prompt']
    assert load_file(clips.paths[1])['clean_background'].shape == (1, 64, 96, 3)
    check_clips(clips.paths, frames=17, height=64, width=96, cloud=64)
    before = clips.paths[0].stat().st_mtime_ns
    assert make_clips(replace(config, looks=3)) == 0
    assert len(ClipSet([tmp_path])) == 3
    assert clips.paths[0].stat().st_mtime_ns == before
