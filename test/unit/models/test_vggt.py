"""VGGT is the published model: key by key, value by value, and with no more in memory than it needs."""

from __future__ import annotations

import gc
import json
import runpy
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from toy_perception import TOY_VGGT

from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.transforms import invert, rigid
from hoigen.models.hub import MissingWeights, ModelError
from hoigen.models.vggt import model as load
from hoigen.models.vggt.cameras import decode_pose
from hoigen.models.vggt.config import DenseConfig, TrackConfig, VGGTConfig, read_config
from hoigen.models.vggt.dense import AT_ONCE
from hoigen.models.vggt.model import VGGT, size_for, to_tensor
from hoigen.perception.learned.pointmaps import views_of
from hoigen.perception.learned.tracker import vggt_tracker
from hoigen.perception.records import PerceptionError
from hoigen.records import Camera, Footage


@pytest.fixture
def small() -> VGGT:
    torch.manual_seed(0)
    return VGGT(TOY_VGGT).eval().requires_grad_(False)


def test_the_published_checkpoint_fits(golden: Path) -> None:
    """At full size the keys and shapes are those of facebook/VGGT-1B, no more and no fewer."""
    want = json.loads((golden / 'manifests/vggt_1b.json').read_text())
    with torch.device('meta'):
        model = load.blank(Path())
    assert {k: list(v.shape) for k, v in model.state_dict().items()} == want
    assert sum(p.numel() for p in model.parameters()) == 1_256_537_516


@pytest.fixture(scope='module')
def official(golden: Path) -> tuple[VGGT, dict[str, np.ndarray]]:
    """The official code's toy model and what it gave."""
    with np.load(golden / 'fixtures/vggt_tiny.npz') as file:
        arrays = {key: file[key] for key in file.files}
    c = json.loads(str(arrays['config_json']))
    camera, dpt, track = c['camera'], c['dpt'], c['track']
    config = VGGTConfig(
        'official',
        c['img_size'],
        c['patch_size'],
        c['embed_dim'],
        c['aa_depth'],
        c['num_heads'],
        c['dino_depth'],
        c['dino_num_heads'],
        c['num_register_tokens'],
        tuple(dpt['intermediate_layer_idx']),
        camera['trunk_depth'],
        camera['num_heads'],
        camera['num_iterations'],
        DenseConfig(dpt['features'], tuple(dpt['out_channels'])),
        True,
        TrackConfig(
            DenseConfig(track['features'], tuple(track['dpt_out_channels'])),
            track['stride'],
            track['corr_levels'],
            track['corr_radius'],
            track['hidden_size'],
            track['depth'],
            track['num_heads'],
            track['num_virtual_tracks'],
            track['iters'],
        ),
    )
    model = VGGT(config).eval()
    model.load_state_dict(
        {k.removeprefix('w/'): torch.from_numpy(v.astype(np.float32)) for k, v in arrays.items() if k.startswith('w/')}
    )
    return model, arrays


CHAOTIC = ('out/track', 'out/track_iter1', 'out/track_iter2', 'out/track_iter3', 'out/vis', 'out/conf')
"""With the toy's weights the tracker makes a difference in rounding a hundred times larger in every iteration."""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the official outputs were made: threads share sums out, which changes their rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize('case', ['sq', 'rect', 'one'])
@pytest.mark.usefixtures('one_thread')
def test_the_official_outputs(official: tuple[VGGT, dict[str, np.ndarray]], case: str) -> None:
    """Every output of every head, at every iteration, is the official code's to 1e-4 (focal lengths relatively).

    On a processor that rounds differently, told by the features that the tracker reads, its later iterations cannot be.
    """
    model, arrays = official
    want = {key.removeprefix(f'{case}/'): value for key, value in arrays.items() if key.startswith(f'{case}/')}
    images, queries = (torch.from_numpy(want.pop(f'in/{name}')) for name in ('images', 'query_points'))
    with torch.no_grad():
        got = _outputs(model, images, queries)
    assert want.keys() == got.keys()
    alike = np.array_equal(np.asarray(got['agg/track_fmaps']), want['agg/track_fmaps'])
    for key, value in want.items():
        if key in CHAOTIC and not alike:
            continue
        scale = np.maximum(np.abs(value), 1) if key == 'out/intrinsic' else 1
        assert np.abs((np.asarray(got[key]) - value) / scale).max() <= 1e-4, key


def _outputs(model: VGGT, images: Tensor, queries: Tensor) -> dict[str, Tensor | np.ndarray | int]:
    """What the model says, under the names of the fixture."""
    tokens = model.tokens(images)
    poses, tracks = model.poses(tokens), model.tracks(tokens, queries)
    depth, depth_confidence = model.depth(tokens)
    points, points_confidence = model.points(tokens)
    extrinsic, intrinsic = decode_pose(poses[-1], *images.shape[-2:])
    return {
        'agg/tokens_0': tokens.taps[0],
        'agg/tokens_1': tokens.taps[1],
        'agg/patch_start_idx': tokens.special,
        'agg/track_fmaps': model.track_head.feature_extractor(tokens),
        'out/pose_enc': poses[-1],
        **{f'out/pose_enc_iter{i}': pose for i, pose in enumerate(poses)},
        'out/depth': depth[..., None],
        'out/depth_conf': depth_confidence,
        'out/world_points': points,
        'out/world_points_conf': points_confidence,
        'out/track': tracks.pixels[-1],
        'out/vis': tracks.visible,
        'out/conf': tracks.confidence,
        **{f'out/track_iter{i}': at for i, at in enumerate(tracks.pixels)},
        'out/extrinsic': extrinsic,
        'out/intrinsic': intrinsic,
        'out/points_from_depth': _unproject(depth[0], extrinsic[0], intrinsic[0]),
    }


def _unproject(depth: Tensor, extrinsic: Tensor, intrinsic: Tensor) -> np.ndarray:
    """World points [S,H,W,3] as the official demo unprojects: its K with pixels counted from the first one's centre."""
    height, width = depth.shape[1:]
    places = []
    for z, T, K in zip(depth.double().numpy(), extrinsic.double().numpy(), intrinsic.double().numpy(), strict=True):
        turn = np.linalg.svd(T[:, :3])
        camera = Camera(K, width, height, invert(rigid(turn[0] @ turn[2], T[:, 3])))
        places.append(unproject(camera, pixel_grid(width, height), z))
    return np.stack(places)


def test_only_what_the_heads_read_is_kept(small: VGGT) -> None:
    """While the blocks run, no more of their outputs live than there are taps before; all 24 would not fit a GPU."""
    images, alive = torch.rand(1, 2, 3, 28, 42), []

    def count(*_: object) -> None:
        gc.collect()
        alive.append(sum(type(o) is Tensor and o.shape == (1, 2, 11, 2 * TOY_VGGT.width) for o in gc.get_objects()))

    for block in small.aggregator.global_blocks:
        block.register_forward_hook(count)
    tokens = small.tokens(images)
    assert sorted(tokens.taps) == [1, 2, 3, 5]
    assert alive == [0, 0, 1, 2, 3, 3]


def test_heads_work_on_a_few_frames_at_a_time(small: VGGT) -> None:
    """No more than AT_ONCE frames are in a head at once, and the parts together are what one pass gives."""
    tokens = small.tokens(torch.rand(1, AT_ONCE + 3, 3, 28, 28))
    sizes = []
    small.depth_head.norm.register_forward_hook(lambda _module, _inputs, out: sizes.append(len(out)))
    depth, _ = small.depth(tokens)
    assert set(sizes) == {AT_ONCE, 3}
    whole = small.depth_head._frames([tokens.taps[t][0, :, tokens.special :] for t in TOY_VGGT.taps], 2, 2)
    assert torch.allclose(whole[:, 0].exp(), depth[0], atol=1e-6)


def test_frames_are_seen_whole_and_in_proportion() -> None:
    """The longer side is the model's size, the other one whole patches: landscape and portrait images alike."""
    config = replace(TOY_VGGT, image=518)
    assert size_for(640, 360, config) == (518, 294)
    assert size_for(720, 480, config) == (518, 350)
    assert size_for(360, 640, config) == (294, 518)
    assert size_for(640, 640, config) == (518, 518)
    ramp = np.repeat(np.linspace(0, 255, 1036).astype(np.uint8)[None, None, :, None], 3, 3).repeat(400, 1)
    tensor = to_tensor(ramp, config, torch.device('cpu'))
    assert tensor.shape == (1, 1, 3, 196, 518)
    assert torch.allclose(tensor[0, 0, 0, 5], torch.linspace(0, 1, 518), atol=0.01)


def test_views_are_records(small: VGGT) -> None:
    """Cameras are rigid with their centre in the picture's middle; depth > 0; confidence in [0, 1]."""
    small.camera_head.pose_branch.fc2.bias.data[6:] = torch.tensor([1.0, 0.7, 1.0])
    rgb = np.random.default_rng(0).integers(0, 255, (3, 30, 56, 3), dtype=np.uint8)
    views = views_of(small, rgb)
    assert views.depth.shape == views.confidence.shape == (3, 14, 28)
    assert (views.depth > 0).all()
    assert views.confidence.min() >= 0
    assert views.confidence.max() <= 1
    assert np.allclose(views.cameras[0].K[:2, 2], (13.5, 6.5))


def test_tracks_of_any_frames(small: VGGT, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of several frames, through more frames than are looked at together: each stays where it was asked for."""
    monkeypatch.setattr('hoigen.perception.learned.tracker.AT_ONCE', 2)
    rgb = np.random.default_rng(0).integers(0, 255, (6, 28, 56, 3), dtype=np.uint8)
    footage = Footage(np.arange(6), rgb, None, None)
    pixels = np.array([[10.0, 20.0], [30.0, 5.0], [40.0, 14.0]], np.float32)
    query = np.array([0, 4, 4], np.int32)
    places, visible = vggt_tracker(small)(footage, pixels, query)
    assert places.shape == (6, 3, 2)
    assert np.isfinite(places).all()
    assert np.array_equal(places[query, np.arange(3)], pixels)
    assert visible[query, np.arange(3)].all()
    images = to_tensor(rgb[[4, 2, 3]], TOY_VGGT, small.device)  # the query's frame before a part of the others
    alone = small.tracks(small.tokens(images), torch.from_numpy((pixels[None, 1:] + 0.5) / 2 - 0.5))
    assert np.abs(alone.pixels[-1][0, 1:].numpy() * 2 + 0.5 - places[2:4, 1:]).max() < 1e-3


def test_a_model_without_a_track_head() -> None:
    """It is refused as a tracker, not found out while it runs."""
    with pytest.raises(PerceptionError, match='toy: expected a model with a track head'):
        vggt_tracker(VGGT(replace(TOY_VGGT, track=None)))


def test_weights_of_a_folder(small: VGGT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``model.safetensors`` is loaded whole and exactly; a key too few or too many is named."""
    monkeypatch.setattr(load, 'read_config', lambda name: TOY_VGGT)
    state = {k: v.clone() for k, v in small.state_dict().items()}
    save_file(state, tmp_path / 'model.safetensors')
    loaded = load.load_vggt(str(tmp_path)).state_dict()
    assert all(torch.equal(loaded[k].cpu(), v) for k, v in state.items())
    state['aggregator.extra'] = state.pop('camera_head.token_norm.bias')
    save_file(state, tmp_path / 'model.safetensors')
    with pytest.raises(ModelError, match=r'missing camera_head.token_norm.bias.*unexpected aggregator.extra'):
        load.load_vggt(str(tmp_path))


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what fetches them and under what licence."""
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path))
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(MissingWeights, match=r'hoigen models fetch vggt .*non-commercial'):
        load.load_vggt()


@pytest.mark.parametrize('change', [{'taps': (0, 1, 2, 3)}, {'image': 30}])
def test_a_shape_that_cannot_be(change: dict) -> None:
    """Taps without the last block, or a picture of parts of patches."""
    with pytest.raises(ValueError, match='model toy: expected'):
        replace(TOY_VGGT, **change)


def test_the_published_shape_is_described() -> None:
    """The YAML is read into the frozen shape, tuples and all."""
    config = read_config('vggt-1b')
    assert config.taps == (4, 11, 17, 23)
    assert config.track is not None
    assert config.track.dense.channels == (256, 512, 1024, 1024)


def test_the_bench_runs_at_a_toy_size_and_wants_a_gpu_for_the_full_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is written here and run where there is a GPU: it must not fail there for a slip."""
    bench = Path(__file__).parents[3] / 'bench'
    monkeypatch.syspath_prepend(bench)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    run = runpy.run_path(str(bench / 'bench_vggt.py'))['main']
    monkeypatch.setattr(sys, 'argv', ['bench_vggt.py', '--toy'])
    assert run() == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split('|')[0].strip() for row in rows] == ['10', '50', '100']
    assert all('0.140 s   3.6 GB' in row for row in rows[:1])
    monkeypatch.setattr(sys, 'argv', ['bench_vggt.py'])
    assert run() == 0
    assert 'expected a GPU' in capsys.readouterr().err


def test_the_full_size_fits_together() -> None:
    """Every head of VGGT-1B takes what the aggregator gives it, at footage's size; the meta device makes it free."""
    config = read_config('vggt-1b')
    with torch.device('meta'), torch.no_grad():
        model = VGGT(config)
        width, height = size_for(640, 360, config)
        tokens = model.tokens(torch.empty(1, 9, 3, height, width))
        tracks = model.tracks(tokens, torch.empty(1, 7, 2))
        assert [tap.shape for tap in tokens.taps.values()] == [(1, 9, 5 + 21 * 37, 2048)] * 4
        assert [pose.shape for pose in model.poses(tokens)] == [(1, 9, 9)] * 4
        assert [x.shape for x in (*model.depth(tokens), *model.points(tokens))] == [
            (1, 9, 294, 518),
            (1, 9, 294, 518),
            (1, 9, 294, 518, 3),
            (1, 9, 294, 518),
        ]
        assert [at.shape for at in tracks.pixels] == [(1, 9, 7, 2)] * 4
