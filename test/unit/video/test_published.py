"""Published weights: what diffusers and transformers write loads here and gives their frames; misfits are named."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published_layout import NOTHING, toy_config, write_pipeline, write_tracking_branch
from safetensors.torch import load_file, save_file
from synthetic_scene import moving_scene

from hoigen.cli import main
from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.models.configuration import Memory, save_config
from hoigen.models.hub import ModelError
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.hub.published import fingerprint
from hoigen.models.memory import Needs
from hoigen.video.assembly import load_text, start_from
from hoigen.video.configuration import read_config
from hoigen.video.denoise import Denoiser
from hoigen.video.generator import Generator
from hoigen.video.inputs import video_tensor
from hoigen.video.model import load, save_control
from hoigen.video.sampling import Sampling
from hoigen.video.transformer import Control, with_first_frame

PROMPT = 'a hand lifts the red can'


@pytest.fixture(scope='module')
def layout(tmp_path_factory):
    """The published folders at toy size, with the pipeline and the branch that were saved there."""
    folder = tmp_path_factory.mktemp('published')
    pipeline = write_pipeline(folder / 'base')
    return folder, pipeline, write_tracking_branch(folder / 'das', pipeline)


@pytest.fixture(scope='module')
def clip():
    return build_clip(*moving_scene(frames=9, width=80, height=96))


@pytest.fixture(scope='module')
def conditions(clip):
    return build_conditions(clip, width=80, height=96)


@pytest.fixture
def damaged(layout, tmp_path):
    """A copy of the branch's folder to spoil, and the configuration that points to it."""
    folder = tmp_path / 'spoilt' / 'transformer'
    folder.mkdir(parents=True)
    for file in (layout[0] / 'das' / 'transformer').iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    save_config(toy_config(layout[0] / 'base', folder.parent), tmp_path / 'model')
    return folder, str(tmp_path / 'model')


@pytest.fixture(autouse=True)
def room_enough(monkeypatch):
    """The planner has tests of its own; here it would count the same toy again and again."""
    counted = []
    monkeypatch.setattr('hoigen.video.model.refuse_too_little', lambda config: counted.append(config) or NOTHING)
    return counted


def linked(layout, folder: Path, **memory) -> str:
    """A model folder that points to the published ones."""
    save_config(toy_config(layout[0] / 'base', layout[0] / 'das', **memory), folder)
    return str(folder)


def inputs():
    g = torch.Generator().manual_seed(2)
    latents = torch.randn(1, 3, 16, 12, 10, generator=g)
    text = torch.randn(1, 7, 12, generator=g)
    return (with_first_frame(latents), text, torch.tensor([500])), Control(with_first_frame(latents.flip(1)))


def published_frames(pipeline, image, guidance):
    given = {
        'image': torch.from_numpy(image).permute(2, 0, 1)[None] / 255,
        'height': 96,
        'width': 80,
        'num_frames': 9,
        'num_inference_steps': 3,
        'guidance_scale': guidance,
        'max_sequence_length': 7,
    }
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(prompt=PROMPT, **given, generator=torch.Generator().manual_seed(5), output_type='pt').frames


@pytest.mark.parametrize('guidance', [1.0, 3.0])
def test_without_conditions_the_frames_are_the_published_pipelines(layout, conditions, tmp_path, guidance):
    """The backbone with its text is exactly CogVideoX: same seed, same noise, same frames as diffusers' pipeline."""
    model = load(linked(layout, tmp_path))
    want = published_frames(layout[1], conditions.image, guidance)
    sampling = Sampling(steps=3, guidance=guidance, dynamic_guidance=False, negative_prompt='', conditions=())
    draws = torch.Generator().manual_seed(5)
    with torch.no_grad():
        first = model.autoencoder.image_latents(video_tensor(conditions.image[None]), draws)
        noise = torch.randn(1, 3, *first.shape[2:], generator=draws)
        texts = model.text.embed([PROMPT]), model.text.embed([''])
        latents = Denoiser(model.transformer, model.scheduler, 3, sampling, *texts).run(first, noise, None, draws)
        got = model.autoencoder.frames(latents, None)
    assert ((got / 2 + 0.5).clamp(0, 1) - want).abs().max() <= 1e-4
    asked = conditions.__class__(**{**vars(conditions), 'prompt': PROMPT})
    made = Generator(model).render(asked, seed=5, sampling=sampling)
    assert np.abs(made - (want[0] * 255).permute(0, 2, 3, 1).numpy()).max() <= 0.51


@pytest.mark.parametrize('frames', [17, 33])
@torch.no_grad()
def test_a_model_of_49_frames_makes_fewer(tmp_path, frames):
    """Every token of the image has the learned position that it has in a clip of 49 frames, and frames come out."""
    pipeline = write_pipeline(tmp_path / 'base', 49)
    write_tracking_branch(tmp_path / 'das', pipeline)
    config = toy_config(tmp_path / 'base', tmp_path / 'das')
    save_config(replace(config, frames=49, transformer=config.transformer | {'sample_frames': 49}), tmp_path / 'model')
    model, entered = load(str(tmp_path / 'model')), []
    embed = model.transformer.patch_embed
    embed.proj.register_forward_hook(lambda layer, given, made: entered.append(made.flatten(2).transpose(1, 2)))
    model.transformer.transformer_blocks[0].register_forward_pre_hook(lambda block, given: entered.append(given[0]))
    clip = build_clip(*moving_scene(frames=frames, width=80, height=96), ConditioningConfig(points=64, tracks=8))
    sampling = Sampling(steps=1, conditions=('tracking',))
    made = Generator(model).render(build_conditions(clip, width=80, height=96), seed=0, sampling=sampling)
    assert made.shape == (frames, 96, 80, 3)
    latents, cells = (frames - 1) // 4 + 1, 6 * 5
    positions = pipeline.transformer.patch_embed.pos_embedding[0, 7 : 7 + latents * cells].float()
    patches, tokens = entered[0][:latents].flatten(0, 1), entered[-1][0]
    torch.testing.assert_close(tokens - patches, positions, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_first_tracking_frame_is_encoded_alone(layout, conditions, tmp_path):
    """As Diffusion as Shader does: beside later frames the encoder makes other latents of it."""
    model, given = load(linked(layout, tmp_path)), []
    model.transformer.register_forward_pre_hook(lambda m, a, named: given.append(named['control']), with_kwargs=True)
    Generator(model).render(conditions, seed=0, sampling=Sampling(steps=1, conditions=('tracking',)))
    video, first = video_tensor(conditions.tracking), given[0].tracking[:, :1, 16:]
    assert torch.equal(first, model.autoencoder.latents(video[:, :1]))
    assert not torch.allclose(first, model.autoencoder.latents(video)[:, :1], atol=1e-2)


@torch.no_grad()
def test_a_released_branch_computes_what_it_computed(layout, tmp_path):
    """All its keys are used: the tracking video has the effect it had where the branch was saved."""
    model = load(linked(layout, tmp_path))
    args, control = inputs()
    assert len(model.transformer.transformer_blocks_copy) == 2, 'the checkpoint says how many blocks the branch has'
    assert (model.transformer(*args, control=control) - layout[2](*args, control=control)).abs().max() <= 1e-5
    assert not torch.allclose(layout[2](*args, control=control), layout[2](*args))


def test_a_released_branch_reads_what_it_has_learnt_and_says_so(layout, clip, conditions, tmp_path):
    """That is the tracking video; a condition for which it has no weights is refused, not claimed in provenance."""
    generator = Generator(load(linked(layout, tmp_path)))
    made, asked, without = (
        generator.generate(conditions, clip.labels, seed=1, sampling=Sampling(steps=2, **given))
        for given in ({}, {'conditions': ('tracking',)}, {'conditions': ()})
    )
    assert made.provenance.config['sampling']['conditions'] == ('tracking',)
    assert np.array_equal(made.frames, asked.frames)
    assert not np.array_equal(made.frames, without.frames)
    with pytest.raises(ValueError, match='conditions: expected some of tracking, which toy has learnt, got points, tr'):
        generator.render(conditions, seed=1, sampling=Sampling(conditions=('points', 'tracking')))


def test_a_published_model_is_sampled_as_its_yaml_says(layout, clip, conditions, tmp_path):
    """Steps, guidance and negative prompt of the model unless others are asked for; provenance has those used."""
    generator = Generator(load(linked(layout, tmp_path)))

    def made(**given):
        return generator.generate(conditions, clip.labels, seed=1, sampling=Sampling(**given))

    shipped = read_config('cogvideox-5b')
    own, same, plain, other = (
        made(),
        made(
            steps=3,
            guidance=6.0,
            dynamic_guidance=True,
            negative_prompt='a video of a cup',
            conditions=('tracking',),
        ),
        made(guidance=1.0),
        made(negative_prompt='pour the water'),
    )
    assert (shipped.steps, shipped.frames, shipped.guidance, shipped.dynamic_guidance) == (50, 49, 6.0, True)
    assert str(shipped.negative_prompt).startswith('The video is not of a high quality')
    assert own.provenance.config['sampling'] == same.provenance.config['sampling']
    assert np.array_equal(own.frames, same.frames)
    assert not np.array_equal(own.frames, plain.frames)
    assert not np.array_equal(own.frames, other.frames)
    off = plain.provenance.config['sampling']
    assert (off['guidance'], off['dynamic_guidance'], off['negative_prompt']) == (1.0, False, '')


def test_every_tensor_has_the_asked_type(layout, tmp_path):
    """diffusers makes the learned positions as float64; one such tensor would pull the whole stream up."""
    model = load(linked(layout, tmp_path, weights='bfloat16'))
    for part in (model.transformer, model.autoencoder):
        assert {v.dtype for v in part.state_dict().values()} == {torch.bfloat16}
    assert model.text.embed([PROMPT]).dtype == model.dtype == torch.bfloat16


@torch.no_grad()
def test_embeddings_are_the_pipelines(layout, tmp_path):
    """Short prompts are padded as the pipeline does, each is read once; one that it would cut is refused."""
    text = load(linked(layout, tmp_path)).text
    prompts = ['a hand lifts the red can', 'a cup', '']
    want = layout[1]._get_t5_prompt_embeds(prompts, max_sequence_length=7)
    assert torch.allclose(text.embed(prompts), want, atol=1e-5)
    with pytest.raises(
        ValueError, match=r'prompt: expected at most 7 tokens of T5, got 8: .*"a hand lifts the red can up'
    ):
        text.embed(['a hand lifts the red can up'])
    text._read = None  # a second reading would fail
    assert torch.equal(text.embed(prompts[1:2]), text.embed(prompts)[1:2])


def test_the_text_encoder_stays_where_it_leaves_room(layout, tmp_path, monkeypatch):
    """For the activations of the other stages; else it is read anew for each new prompt."""
    config, read = read_config(linked(layout, tmp_path)), []
    monkeypatch.setattr('hoigen.models.text.free_bytes', lambda device: 1000)
    monkeypatch.setattr('hoigen.models.text.pretrained', lambda *a, **k: read.append(a) or pretrained(*a, **k))
    for room, readings in ((1000, 1), (1001, 2), (math.inf, 2)):
        text = load_text(config, room)
        text.embed(['a cup'])
        text.embed(['a tap'])
        assert len(read) == readings
        read.clear()


def test_provenance_has_every_weight_file(layout, tmp_path, room_enough):
    model = load(linked(layout, tmp_path))
    assert len(room_enough) == 1, 'the planner is asked before anything is loaded'
    assert room_enough[0].transformer['control_blocks'] == 2, 'and knows how many blocks the checkpoint has'
    files = [
        *(layout[0] / 'das').rglob('*.safetensors'),
        *(layout[0] / 'base/vae').glob('*.safetensors'),
        *(layout[0] / 'base/text_encoder').glob('*.safetensors'),
    ]
    assert model.weights == {str(f.relative_to(layout[0])): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_plan_counts_the_blocks_of_the_checkpoint(layout, tmp_path, monkeypatch, capsys):
    """Else it would ask for the memory of a branch of all blocks where a released one has fewer."""
    counted, some = [], {False: 1, True: 1}
    need = Needs(1, 1, 1, 1, 1, 1, some, some, 1, 1, 1)
    monkeypatch.setattr('hoigen.video.plan.needs', lambda config: counted.append(config) or need)
    assert main(['plan', '--model', linked(layout, tmp_path / 'released')]) == 0
    save_config(toy_config(Path('nowhere'), Path('nowhere')), tmp_path / 'absent')
    assert main(['plan', '--model', str(tmp_path / 'absent')]) == 0
    assert [config.transformer['control_blocks'] for config in counted] == [2, 3]
    assert '2 blocks in its branch' in capsys.readouterr().out


@torch.no_grad()
def test_training_starts_from_a_released_branch(layout, tmp_path):
    """Three blocks from a checkpoint of two: the same result, the third a copy of the backbone's behind zeros."""
    config = toy_config(layout[0] / 'base', None, weights='bfloat16')
    state = torch.random.get_rng_state()
    model, made = start_from(config, str(layout[0] / 'das'))
    assert made.transformer['control_form'] == 'das', 'a branch goes on in the form that it was trained in'
    assert torch.equal(state, torch.random.get_rng_state()), 'weights must not depend on what was drawn before'
    branch = {id(p) for p in model.control_parameters()}
    assert {p.dtype for p in model.parameters() if id(p) in branch} == {torch.float32}
    assert {p.dtype for p in model.parameters() if id(p) not in branch} == {torch.bfloat16}
    for base, copy in zip(
        model.transformer_blocks[2].parameters(), model.transformer_blocks_copy[2].parameters(), strict=True
    ):
        assert torch.equal(base.float(), copy)
    args, control = inputs()
    assert (
        model.float()(*args, control=control) - deepcopy(layout[2]).bfloat16().float()(*args, control=control)
    ).abs().max() <= 1e-5


@torch.no_grad()
def test_training_starts_from_the_bare_backbone(layout):
    model, _ = start_from(toy_config(layout[0] / 'base', None), None)
    assert model.config.control_form == 'controlnet'
    args, control = inputs()
    assert torch.equal(model(*args, control=control), model(*args))
    assert (model(*args) - layout[1].transformer(*args, return_dict=False)[0]).abs().max() <= 1e-5
    assert torch.equal(model.transformer_blocks_copy[1].ff.net[2].weight, model.transformer_blocks[1].ff.net[2].weight)


@torch.no_grad()
def test_what_training_leaves_is_a_model_and_a_branch(layout, tmp_path):
    """The folder holds the branch alone; it runs by itself, and as the control of another model."""
    config = toy_config(layout[0] / 'base', None)
    trained, _ = start_from(config, None)
    for parameter in trained.control_parameters():
        parameter.add_(0.03)
    save_config(config, tmp_path / 'mine')
    save_control(trained.state_dict(), tmp_path / 'mine')
    save_config(toy_config(layout[0] / 'base', tmp_path / 'mine'), tmp_path / 'other')
    args, control = inputs()
    for name in ('mine', 'other'):
        model = load(str(tmp_path / name))
        assert (model.transformer(*args, control=control) - trained(*args, control=control)).abs().max() < 1e-2
        assert 'mine/control.safetensors' in model.weights
    assert not [k for k in load_file(tmp_path / 'mine' / 'control.safetensors') if k.startswith('transformer_blocks.')]


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ('missing', 'missing combine_linears.1.bias'),
        ('extra', 'unexpected stowaway'),
        ('shape', r'combine_linears.1.bias: expected \[32\], got \[3\]'),
        ('nan', 'expected finite values'),
        ('many', '12 keys do not fit this model'),
    ],
)
def test_a_branch_that_does_not_fit_is_refused_by_its_keys(damaged, fault, says):
    path = next(p for p in damaged[0].glob('*.safetensors') if 'combine_linears.1.bias' in load_file(p))
    tensors = load_file(path)
    bias = 'combine_linears.1.bias'
    tensors |= {
        'missing': {},
        'extra': {'stowaway': torch.zeros(1)},
        'shape': {bias: torch.zeros(3)},
        'nan': {bias: torch.full((32,), torch.nan)},
        'many': {f'stowaway{i}': torch.zeros(1) for i in range(12)},
    }[fault]
    if fault == 'missing':
        del tensors['combine_linears.1.bias']
    save_file(tensors, path)
    with pytest.raises(ModelError, match=says) as caught:
        load(damaged[1])
    assert fault != 'many' or str(caught.value).count('stowaway') == 10


def test_a_missing_shard_names_the_file_and_the_way_to_fetch_it(damaged):
    shard = sorted(damaged[0].glob('*.safetensors'))[1]
    shard.unlink()
    with pytest.raises(ModelError, match=f'{shard.name}.*missing.*fetch them: hf download .*licence: CogVideoX'):
        load(damaged[1])


def test_another_models_folder_is_refused_by_its_configuration(damaged):
    config = json.loads((damaged[0] / 'config.json').read_text())
    (damaged[0] / 'config.json').write_text(json.dumps(config | {'num_layers': 30}))
    with pytest.raises(ModelError, match='num_layers: expected 3, got 30'):
        load(damaged[1])


def test_cogvideox_1_5_is_refused_by_its_name(damaged):
    """Its patches span two latents and its time embedding has an offset: nothing of it is guessed."""
    config = json.loads((damaged[0] / 'config.json').read_text())
    (damaged[0] / 'config.json').write_text(json.dumps(config | {'patch_size_t': 2, 'ofs_embed_dim': 512}))
    with pytest.raises(ModelError, match=r'got CogVideoX 1\.5 \(patch_size_t 2, ofs_embed_dim 512\), which is not'):
        load(damaged[1])


def test_a_backbone_without_a_branch_is_no_control(layout, tmp_path):
    save_config(toy_config(layout[0] / 'base', layout[0] / 'base'), tmp_path)
    with pytest.raises(ModelError, match='expected the weights of a control branch'):
        load(str(tmp_path))


def test_a_file_is_hashed_again_only_when_it_changed(tmp_path, monkeypatch):
    """20 GB are not read at every start, and a changed file never keeps its old hash."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    file = tmp_path / 'weights.safetensors'
    file.write_bytes(b'one')
    assert fingerprint(file) == hashlib.sha256(b'one').hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr('hashlib.file_digest', None)
        assert fingerprint(file) == hashlib.sha256(b'one').hexdigest()
    file.write_bytes(b'two')
    os.utime(file, ns=(1, 1))
    assert fingerprint(file) == hashlib.sha256(b'two').hexdigest()


@pytest.mark.parametrize('offload', ['model', 'group'])
@torch.no_grad()
def test_offload_does_not_change_the_result(layout, tmp_path, offload):
    """Where parts lie while they run is no matter of the picture; the hooks are there, also around the autoencoder."""
    plain, other = (load(linked(layout, tmp_path / o, offload=o)) for o in ('none', offload))
    args, control = inputs()
    assert torch.equal(plain.transformer(*args, control=control), other.transformer(*args, control=control))
    video = torch.rand(1, 9, 3, 96, 80, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain.autoencoder.latents(video), other.autoencoder.latents(video))
    if offload == 'model':
        assert other.transformer._hf_hook.prev_module_hook.model is other.autoencoder
        assert other.autoencoder._hf_hook.prev_module_hook.model is other.transformer
    else:
        assert all(
            hasattr(b, '_diffusers_hook')
            for b in (*other.transformer.transformer_blocks, *other.transformer.transformer_blocks_copy)
        )


@torch.no_grad()
def test_tiling_splits_the_picture(layout, tmp_path):
    """The autoencoder sees tiles of half the size, and gives frames of the whole."""
    model = load(linked(layout, tmp_path, tiling=True))
    seen = []
    model.autoencoder.decoder.register_forward_hook(lambda module, given, made: seen.append(made[0].shape[-2:]))
    latents = model.autoencoder.latents(torch.rand(1, 9, 3, 96, 80))
    assert model.autoencoder.frames(latents, None).shape == (1, 9, 3, 96, 80)
    assert max(seen) == (48, 40)


@torch.no_grad()
def test_8_bit_weights_stay_close(layout, tmp_path):
    """The blocks' linear layers are held in 8 bits; the velocity stays within 2 % of bfloat16's."""
    args, control = inputs()
    wide, narrow = (load(linked(layout, tmp_path / w, weights=w)).transformer for w in ('float32', 'int8'))
    want = wide(*args, control=control)
    narrow_args = tuple(a.bfloat16() if a.is_floating_point() else a for a in args)
    got = narrow(*narrow_args, control=Control(control.tracking.bfloat16())).float()
    assert (got - want).norm() < 0.02 * want.norm()
    held = [m for n, m in narrow.named_modules() if type(m).__name__ == 'QLinear']
    assert len(held) == 3 * 8 + 2 * 8 + 2
    assert {m.weight._data.dtype for m in held} == {torch.int8}


@pytest.mark.skipif(sys.platform != 'linux', reason="reads Linux's peak of resident memory")
def test_weights_are_not_there_twice_while_they_load(tmp_path):
    """Loading 128 MB takes 128 MB: built without storage, assigned from the mapped file."""
    save_file({f'{i}.weight': torch.zeros(1024, 1024, dtype=torch.bfloat16) for i in range(64)}, tmp_path / 'big')
    program = f"""
import torch
from pathlib import Path
from accelerate import init_empty_weights
from hoigen.models.hub.published import assign, read_files
with init_empty_weights():
    module = torch.nn.Sequential(*(torch.nn.Linear(1024, 1024, bias=False) for _ in range(64)))
peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024
before = peak()
assign(module, read_files([Path({str(tmp_path / 'big')!r})]), torch.bfloat16)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
    assert 64 < float(done.stdout) < 1.3 * 128


def test_link_makes_a_model_of_folders_and_downloads(layout, tmp_path, monkeypatch, capsys):
    """A repository that `hf download` has put into the hub's cache is found by its name, a folder by its path."""
    cache = tmp_path / 'hub' / 'models--EXCAI--Diffusion-As-Shader'
    shutil.copytree(layout[0] / 'das', cache / 'snapshots' / 'abc')
    (cache / 'refs').mkdir()
    (cache / 'refs' / 'main').write_text('abc')
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path / 'models'))
    save_config(toy_config(Path('nowhere'), Path('EXCAI/Diffusion-As-Shader')), tmp_path / 'toy')
    asked = [
        'link',
        '--out',
        str(tmp_path / 'linked'),
        '--model',
        str(tmp_path / 'toy'),
        '--memory.tiling',
        '--memory.weights',
        'float32',
        '--memory.device',
        'cpu',
    ]
    assert main(asked) == 1
    assert not (tmp_path / 'linked').exists(), 'what cannot work is not written'
    assert 'weights of nowhere' in capsys.readouterr().err
    assert main([*asked, '--base', str(layout[0] / 'base')]) == 0
    model = load(str(tmp_path / 'linked'))
    assert model.config.memory == Memory(weights='float32', tiling=True)
    assert sum(name.startswith('EXCAI/Diffusion-As-Shader/transformer/') for name in model.weights) >= 5
