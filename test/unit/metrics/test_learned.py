"""Learned measures: their plumbing and closed forms, on small untrained networks of the real classes."""

import os

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as library
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    VideoMAEConfig,
    VideoMAEImageProcessorPil,
    VideoMAEModel,
)

from hoigen.metrics.learned import LearnedMeasures
from hoigen.metrics.options import LearnedConfig
from hoigen.models.hub import ModelError
from hoigen.models.hub.published import read_tensors
from hoigen.models.inception import Inception
from hoigen.models.lpips import Lpips
from hoigen.models.tensors import load_network
from hoigen.provenance import sha256_of

TRANSFORMER = {
    'hidden_size': 8,
    'intermediate_size': 16,
    'num_hidden_layers': 1,
    'num_attention_heads': 2,
    'image_size': 32,
    'patch_size': 16,
}


@pytest.fixture
def video():
    return np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3)).astype(np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((4, 48, 64), np.uint8)
    mask[:, 10:30, 10:30] = 2
    return mask


@pytest.fixture
def alexnet(tmp_path):
    """AlexNet's file as published: convolutions and a classifier, that the metric does not use."""
    torch.manual_seed(0)
    path = tmp_path / 'alexnet.pth'
    torch.save({**Lpips().state_dict(), 'classifier.1.weight': torch.zeros(2, 2)}, path)
    return path


@pytest.fixture
def clip(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / 'clip'
    CLIPVisionModelWithProjection(CLIPVisionConfig(**TRANSFORMER, projection_dim=4)).save_pretrained(folder)
    CLIPImageProcessorPil(size={'shortest_edge': 32}, crop_size={'height': 32, 'width': 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def videomae(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / 'videomae'
    VideoMAEModel(VideoMAEConfig(**TRANSFORMER, num_frames=2, tubelet_size=2)).save_pretrained(folder)
    VideoMAEImageProcessorPil(size={'shortest_edge': 32}, crop_size={'height': 32, 'width': 32}).save_pretrained(folder)
    return folder


def inception_weights() -> dict[str, torch.Tensor]:
    """Weights by a rule, drawn in the order of the names."""
    g, drawn = torch.Generator().manual_seed(0), {}
    for name, value in sorted(Inception().state_dict().items()):
        if name.endswith('num_batches_tracked'):
            continue
        if value.ndim == 4:
            drawn[name] = torch.randn(value.shape, generator=g) * (2 / value[0].numel()) ** 0.5
        elif name.endswith('var'):
            drawn[name] = torch.rand(value.shape, generator=g) + 0.5
        else:
            drawn[name] = torch.randn(value.shape, generator=g) * 0.1 + (1.0 if name.endswith('bn.weight') else 0.0)
    return drawn


def test_lpips_is_torchmetrics(alexnet, video, monkeypatch):
    """The library's metric on the same backbone: same taps, scaling, calibration and mean."""
    ours = load_network(Lpips(), read_tensors(alexnet), alexnet)
    monkeypatch.setattr(library, '_get_tv_model_features', lambda *_: ours.features)
    theirs = library._LPIPS(net='alex', pnet_rand=True)
    other = video[:, ::-1].copy()
    a, b = (torch.from_numpy(v).permute(0, 3, 1, 2).float() / 127.5 - 1 for v in (other, video))
    with torch.no_grad():
        assert ours(other, video).numpy() == pytest.approx(theirs(a, b).flatten().numpy(), rel=1e-5)
        assert ours(video, video).numpy() == pytest.approx(0)


def test_inception_is_the_published_network():
    """Golden numbers of torch-fidelity 0.4.0's network with the same weights and picture, equal there bit for bit."""
    network = load_network(Inception(), inception_weights(), 'drawn')
    u = torch.arange(299.0)
    row, column = u[None].expand(299, -1), u[:, None].expand(-1, 299)
    features = network(torch.stack([row * 0.85, column * 0.85, (row + column) % 256])[None].round())[0]
    assert features[[0, 500, 1000, 1500, 2000]].tolist() == pytest.approx(
        [1.986297, 1.250167, 0.0, 0.446060, 2.097412], abs=1e-3
    )
    assert [float(features.mean()), float(features.std())] == pytest.approx([0.747081, 0.979056], abs=1e-3)


def test_every_given_network_measures_and_is_named_by_its_hash(alexnet, clip, videomae, video, mask):
    learned = LearnedMeasures(LearnedConfig(lpips=alexnet, clip=clip, fvd=videomae))
    assert learned.weights == {
        'lpips': sha256_of(alexnet),
        'clip': sha256_of(clip / 'model.safetensors'),
        'fvd': sha256_of(videomae / 'model.safetensors'),
    }
    noise = np.random.default_rng(1).integers(-40, 40, video.shape)
    changed = np.clip(video + noise, 0, 255).astype(np.uint8)
    same, other = learned.compare(video, video, mask), learned.compare(changed, video, mask)
    for region in ('full', 'hand-object'):
        assert same.row[f'LPIPS {region}'] == pytest.approx(0)
        assert same.row[f'CLIP {region}'] == pytest.approx(1)
        assert other.row[f'LPIPS {region}'] > 0
        assert other.row[f'CLIP {region}'] < 1
    frames, videos = learned.distributions([other, other])[0], learned.distributions([other, other])[1]
    assert (frames.name, frames.region, frames.n, frames.clips, frames.width) == ('C-FID (CLIP)', 'full', 8, 2, 4)
    assert (videos.name, videos.n, videos.width) == ('FVD (VideoMAE)', 2, 8)
    assert frames.weights == learned.weights['clip']
    assert videos.weights == learned.weights['fvd']
    assert 'rank-deficient' in videos.note
    assert learned.distributions([same, same])[0].frechet == pytest.approx(0, abs=1e-4)
    assert frames.frechet > 1e-3


def test_fid_reads_its_file_and_measures(tmp_path, video, mask):
    path = tmp_path / 'inception.pth'
    torch.save({**inception_weights(), 'fc.weight': torch.zeros(1008, 2048), 'fc.bias': torch.zeros(1008)}, path)
    learned = LearnedMeasures(LearnedConfig(fid=path))
    features = learned.compare(video[:1], video[1:2], mask[:1]).features
    assert features['fid', 'full'][0].shape == (1, 2048)
    assert not torch.equal(*features['fid', 'full'])


def test_the_region_sees_nothing_outside_it(clip, video, mask):
    learned = LearnedMeasures(LearnedConfig(clip=clip))
    outside = np.where((mask > 0)[..., None], video, 0)
    row = learned.compare(outside, video, mask).row
    assert row['CLIP hand-object'] == pytest.approx(1)
    assert row['CLIP full'] < 1


def test_nothing_given_is_nothing_measured(video, mask):
    learned = LearnedMeasures(LearnedConfig())
    comparison = learned.compare(video, video, mask)
    assert (comparison.row, learned.distributions([comparison])) == ({}, [])


def test_missing_weights_are_all_named(tmp_path):
    with pytest.raises(ModelError, match=r'learned.lpips: expected a file .*; learned.clip: expected a folder'):
        LearnedMeasures(LearnedConfig(lpips=tmp_path / 'none.pth', clip=tmp_path / 'none'))


class Code:
    """What a pickle can carry: a call when it is read."""

    def __reduce__(self):
        return os.mkdir, ('run_by_the_pickle',)


def test_a_file_that_carries_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'features.0.weight': Code()}, tmp_path / 'alexnet.pth')
    with pytest.raises(ModelError, match='expected tensors by name'):
        LearnedMeasures(LearnedConfig(lpips=tmp_path / 'alexnet.pth'))
    assert not (tmp_path / 'run_by_the_pickle').exists()


def test_torchscript_and_whole_models_are_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / 'script.pth')
    torch.save([torch.zeros(2)], tmp_path / 'list.pth')
    (tmp_path / 'broken.safetensors').write_bytes(b'no tensors')
    for name in ('script.pth', 'list.pth', 'broken.safetensors'):
        with pytest.raises(ModelError, match=f'{name}: expected'):
            read_tensors(tmp_path / name)


def test_weights_of_another_network_are_refused(alexnet, clip, tmp_path):
    """Neither a wrong file nor a folder with a tensor missing may be filled up with untrained values."""
    with pytest.raises(ModelError, match=r'alexnet.pth, Inception: \d+ keys do not fit this model, the first: \['):
        LearnedMeasures(LearnedConfig(fid=alexnet))
    tensors = load_file(clip / 'model.safetensors')
    del tensors['visual_projection.weight']
    save_file(tensors, clip / 'model.safetensors', {'format': 'pt'})
    with pytest.raises(ModelError, match=r"\['missing visual_projection.weight'\]"):
        LearnedMeasures(LearnedConfig(clip=clip))
    (clip / 'preprocessor_config.json').unlink()
    with pytest.raises(ModelError, match=r"missing \['preprocessor_config.json'\]"):
        LearnedMeasures(LearnedConfig(clip=clip))
