"""The planner: what it counts is what a computation really takes, and it refuses with a way out."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from published_layout import toy_config
from torch.profiler import profile

from hoigen.cli import main
from hoigen.models.cogvideox import PublishedAutoencoder
from hoigen.models.configuration import Memory, save_config
from hoigen.models.hub import ModelError
from hoigen.models.memory import RESERVE, flops, peak_bytes
from hoigen.video.configuration import read_config
from hoigen.video.memory import advice, control_inputs, forward, meta_inputs, needs, refuse_too_little, training_needs
from hoigen.video.transformer import ControlledCogVideoX

BENCH = Path(__file__).parents[3] / 'bench'


@pytest.fixture(scope='module')
def config():
    return toy_config(Path('base'), Path('control'))


@pytest.fixture(scope='module')
def need(config):
    return needs(config)


def allocated(run) -> int:
    """The peak of what PyTorch's own allocator hands out on the CPU while ``run`` runs."""
    with profile(profile_memory=True) as seen:
        result = run()
    now = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == '[memory]':
            now += event.nbytes()
            peak = max(peak, now)
    del result
    return peak


def test_the_count_is_the_sum_of_what_lives():
    """8 and 8 KB are there when the third is made, then the first is gone."""

    def run():
        a = torch.zeros(2048, device='meta')
        b = a + 1
        c = a * b
        del a, b
        return c.reshape(2, -1) + 1  # a view takes nothing

    assert peak_bytes(run) == 3 * 8192
    grown = torch.zeros(2048, device='meta', requires_grad=True)
    assert peak_bytes(lambda: grown.exp().sin(), backward=True) > peak_bytes(lambda: grown.exp().sin())


def test_the_count_is_what_the_allocator_gives(config):
    """Run for real at a size where activations dominate, the transformer takes what was counted without storage."""
    wide = config.transformer | {'num_attention_heads': 4, 'attention_head_dim': 32}
    models = []
    for device in ('meta', 'cpu'):
        with torch.device(device):
            models.append(ControlledCogVideoX(**wide).eval())
    _, latents, text = (x.float() for x in meta_inputs(config))
    counted = peak_bytes(lambda: forward(models[0], latents, text, None))
    with torch.no_grad():
        real = allocated(lambda: forward(models[1], torch.zeros(latents.shape), torch.zeros(text.shape), None))
    assert real == pytest.approx(counted, rel=0.1)


def test_the_count_of_the_autoencoder_is_what_the_allocator_gives(config):
    """So does the decoder, whose convolutions take no room of their own here."""
    models = []
    for device in ('meta', 'cpu'):
        with torch.device(device):
            wide = config.autoencoder | {'block_out_channels': [64] * 4, 'norm_num_groups': 32}
            models.append(PublishedAutoencoder(**wide).eval())
    counted = peak_bytes(lambda: models[0].frames(torch.zeros(1, 2, 16, 12, 10, device='meta'), None))
    with torch.no_grad():
        real = allocated(lambda: models[1].frames(torch.zeros(1, 2, 16, 12, 10), None))
    assert real >= 0.95 * counted  # never counted too much; a machine's kernels may take more


def test_the_bench_runs_at_a_toy_size_and_wants_a_gpu_for_the_full_one(monkeypatch, capsys):
    """It is written here and run where there is a GPU: it must not fail there for a slip."""
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    run = runpy.run_path(str(BENCH / 'bench_full_size.py'))['main']
    monkeypatch.setattr(sys, 'argv', ['bench_full_size.py', '--toy'])
    assert run() == 0
    assert [row.split(':')[0] for row in capsys.readouterr().out.splitlines()] == [
        'diffusers, one pass',
        'with all conditions, one pass',
        'training step, all in bfloat16',
    ]
    monkeypatch.setattr(sys, 'argv', ['bench_full_size.py'])
    assert run() == 0
    assert 'expected a GPU' in capsys.readouterr().err


def test_the_work_is_the_marks():
    """CogVideoX-5B, a pass of 17,776 tokens: 332 TFLOP; with a branch of 18 blocks 1.45 times it, of 42 twice."""
    config = read_config('cogvideox-5b')
    _, latents, text = meta_inputs(config)
    work = []
    for blocks in (18, 42):
        with torch.device('meta'):
            model = ControlledCogVideoX(**{**config.transformer, 'control_blocks': blocks}).bfloat16()
        tracking = replace(control_inputs(config, latents), points=None, coloured=None)
        work.append(flops(lambda m=model, c=tracking: forward(m, latents, text, c)) / 1e12)
    alone = flops(lambda: forward(model, latents, text, None)) / 1e12
    assert alone == pytest.approx(332, abs=0.5)
    assert [w / alone for w in work] == pytest.approx([1.45, 2.04], abs=0.01)


def test_more_thrift_takes_less(need):
    uses = [Memory(), Memory(tiling=True), Memory(offload='model', tiling=True), Memory(offload='group', tiling=True)]
    peaks = [need.peak(use) for use in uses]
    assert peaks == sorted(peaks, reverse=True)
    assert need.peak(Memory(weights='int8')) < need.peak(Memory()) < need.peak(Memory(weights='float32'))
    denoise = next(s for s in need.stages(Memory()) if s.name == 'denoise')
    assert denoise.bytes == round(RESERVE * (need.transformer + need.autoencoder + need.step))


def test_too_little_memory_is_refused_with_what_would_fit(config, need, monkeypatch):
    """Before 20 GB are read: needed, free, and the option that would make it fit."""
    has = need.peak(Memory(tiling=True, offload='model')) + 1
    monkeypatch.setattr('psutil.virtual_memory', lambda: SimpleNamespace(available=has))
    monkeypatch.setattr('hoigen.video.memory.needs', lambda _: need)
    with pytest.raises(ModelError, match=r'needs .* GB of memory on cpu, .* are free; .*hoigen link .*--memory'):
        refuse_too_little(config)
    assert refuse_too_little(replace(config, memory=Memory(tiling=True, offload='model'))) is need
    assert advice(need, Memory(), 1).startswith('no use of memory fits, the least is')


def test_training_needs(config):
    """Gradient checkpointing keeps less and computes more; two GPUs share what is stored."""
    need = training_needs(config)
    assert need.checkpointed < need.kept
    assert need.flops > 3 * needs(config).step_flops
    assert need.stored(4) < need.stored(1) / 2
    with torch.device('meta'):
        model = ControlledCogVideoX(**config.transformer)
    assert need.branch == 4 * sum(p.numel() for p in model.control_parameters())


def test_the_verb_says_whether_it_fits(config, tmp_path, capsys):
    save_config(config, tmp_path)
    arguments = ['plan', '--model', str(tmp_path)]
    assert main([*arguments, '--training', '--memory', '1']) == 0
    assert 'fits' in capsys.readouterr().out
    assert main([*arguments, '--memory', '0.0001']) == 1
    assert 'no use of memory fits' in capsys.readouterr().out
