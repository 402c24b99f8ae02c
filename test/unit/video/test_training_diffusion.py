"""What the diffusion stage learns from: the mask loss, dropout for guidance, what is frozen; and its cached latents."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_training import small_config, write_clips

from hoigen.learning.options import Hardware
from hoigen.models.configuration import save_config
from hoigen.models.tensors import save
from hoigen.video.configuration import read_config
from hoigen.video.data import ClipSet
from hoigen.video.model import FILES, build
from hoigen.video.options import DiffusionLoss, recipe
from hoigen.video.training import latents as latents_module
from hoigen.video.training.diffusion import DiffusionObjective, control_of, freeze, masked_velocity_loss
from hoigen.video.training.latents import LatentSet, encode_video, latent_mask
from hoigen.video.training.stages import start_model
from hoigen.video.transformer import Control


class Text:
    """A stand-in for T5: the prompt's length, spread over [S, D]."""

    def embed(self, prompts):
        return torch.stack([torch.full((1, 8), float(len(prompt))) for prompt in prompts])


@pytest.fixture
def parts(tmp_path):
    """A small model, its clips and their latents."""
    torch.manual_seed(0)
    model = build(small_config())
    clips = ClipSet([write_clips(tmp_path / 'clips')])
    return model, clips, encoded(model, clips)


def encoded(model, clips, text=None, folder=None):
    return LatentSet(clips, replace(model, text=text), Hardware(precision='no').accelerator(), folder)


def objective_of(model, latents, **loss):
    return DiffusionObjective(
        model.transformer, latents, model.scheduler, DiffusionLoss(**loss), partial(encode_video, model.autoencoder)
    )


def examples(objective, count):
    return [objective.example(0, torch.Generator().manual_seed(seed)) for seed in range(count)]


def batch_of(objective, seed=0):
    return {k: v[None] for k, v in objective.example(1, torch.Generator().manual_seed(seed)).items()}


def test_the_mask_loss_weighs_an_error_in_the_region_four_times():
    """(1 + M) doubles the error, so its square counts four times (HVG-3D, mask diffusion loss); 0 takes it off."""
    velocity, mask = torch.zeros(1, 1, 2, 4, 4), torch.zeros(1, 1, 1, 4, 4)
    mask[..., :2] = 1
    inside, outside = torch.zeros_like(velocity), torch.zeros_like(velocity)
    inside[..., 0, 0], outside[..., 0, 3] = 1, 1
    assert masked_velocity_loss(inside, velocity, mask) == 4 * masked_velocity_loss(outside, velocity, mask)
    assert masked_velocity_loss(inside, velocity, mask, 0) == masked_velocity_loss(outside, velocity, mask, 0)


def test_the_latent_mask_covers_the_frames_of_its_latent():
    """A pixel of the mask in frame 6 marks latent 2 (frames 5..8) at its place, and no other."""
    mask = torch.zeros(1, 9, 1, 32, 48)
    mask[0, 6, 0, 17, 41] = 1
    grid = latent_mask(mask)
    assert grid.shape == (1, 3, 1, 4, 6)
    assert grid.nonzero().tolist() == [[0, 2, 0, 2, 5]]


def test_full_size_trains_the_branch_and_freezes_the_published_backbone():
    """The paper trains only the copied blocks; CogVideoX-5B-I2V has 5.570 B parameters."""
    with torch.device('meta'):
        model = build(read_config('cogvideox-5b')).transformer
    config = recipe('cogvideox-5b')
    trained, frozen = freeze(model, config.diffusion_loss, config.hardware.precision)
    assert round(frozen / 1e9, 3) == 5.570
    assert {n.split('.')[0] for n, p in model.named_parameters() if p.requires_grad} == {
        'transformer_blocks_copy',
        'combine_linears',
        'point_encoder',
        'point_to_grid',
        'condition_embed',
    }
    assert trained == sum(p.numel() for p in model.parameters()) - frozen
    assert model.transformer_blocks[0].ff.net[0].proj.weight.dtype == torch.bfloat16
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_the_papers_recipe_is_the_default():
    config = recipe('cogvideox-5b')
    loop, loss = config.diffusion, config.diffusion_loss
    assert (loop.learning_rate, loop.batch, loop.epochs, loop.steps) == (1e-4, 4, 20, None)
    assert (loss.mask_weight, loss.train_backbone, loss.image_noise) == (1.0, False, True)
    model = read_config('cogvideox-5b')
    assert (model.width, model.height, model.frames) == (720, 480, 49)
    assert recipe('tiny').diffusion_loss.train_backbone


def test_a_frozen_backbone_gets_no_gradient_and_the_branch_does(parts):
    model, _, latents = parts
    freeze(model.transformer, DiffusionLoss(), 'bf16')
    objective = objective_of(model, latents, drop_condition=0, drop_control=0)
    with torch.autocast('cpu', torch.bfloat16):
        objective(batch_of(objective))['loss'].sum().backward()
    with_gradient = {n for n, p in model.transformer.named_parameters() if p.grad is not None and p.grad.any()}
    assert with_gradient == {f'combine_linears.{i}.{name}' for i in (0, 1) for name in ('weight', 'bias')}


def test_a_branch_of_another_form_starts_anew(tmp_path):
    """Weights of the two forms mean different things: of the other form only backbone and autoencoder are taken."""
    clips, small = write_clips(tmp_path / 'clips'), small_config()
    for form in ('das', 'controlnet'):
        config = replace(small, transformer=small.transformer | {'control_form': form})
        save_config(config, tmp_path / form)
    torch.manual_seed(1)
    made = build(read_config(str(tmp_path / 'das')))
    for part, file in zip((made.transformer, made.autoencoder), FILES, strict=True):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        save(part, tmp_path / 'das' / file)
    start = {'clips': (clips,), 'out': tmp_path / 'run', 'start': str(tmp_path / 'das')}
    same = start_model(recipe(str(tmp_path / 'das'), **start)).transformer
    assert same.combine_linears[0].weight.any()
    other = start_model(recipe(str(tmp_path / 'controlnet'), **start)).transformer
    assert not other.combine_linears[0].weight.any()
    for base in (same.transformer_blocks[1], other.transformer_blocks_copy[1]):
        assert torch.equal(base.ff.net[2].weight, same.transformer_blocks[1].ff.net[2].weight)


def test_a_condition_left_out_is_as_if_it_had_never_been(parts):
    """Ablation and dropout train on what inference gives for a missing condition, or guidance is on something else."""
    model, _, latents = parts
    for parameter in model.transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for left_out, without in (('points', 'points'), ('tracking', 'tracking'), ('coloured', 'coloured')):
        kept = tuple(name for name in ('points', 'tracking', 'coloured') if name != left_out)
        objective = objective_of(model, latents, conditions=kept, drop_condition=0, drop_control=0, image_noise=False)
        batch = batch_of(objective)
        full = control_of({**batch, 'kept': torch.ones(1, 3)})
        assert control_of(batch) is not None
        wanted = Control(**{**vars(full), without: None})
        inputs = torch.cat([batch['target'], batch['target']], 2)
        run = lambda control: model.transformer(inputs, torch.zeros(1, 1, 8), batch['timestep'], control=control)  # noqa: B023, E731
        with torch.no_grad():
            torch.testing.assert_close(run(control_of(batch)), run(wanted))
            assert not torch.allclose(run(full), run(wanted))


def test_dropout_leaves_out_as_often_as_it_says(parts):
    """Guidance on a condition needs the model without it, learnt on its share of the clips."""
    drawn = examples(objective_of(parts[0], parts[2], drop_condition=0.3, drop_control=0.2, terminal=0.4), 300)
    kept = torch.stack([e['kept'] for e in drawn]).mean(0)
    assert ((kept - 0.7).abs() < 0.08).all()
    assert abs(float(torch.stack([e['strength'] for e in drawn]).mean()) - 0.8) < 0.08
    assert abs(sum(int(e['timestep']) == 999 for e in drawn) / 300 - 0.4) < 0.08


def test_the_image_noise_is_that_of_the_public_recipe(parts):
    """Deviation exp(N(-3, 0.5)) on the first picture in [-1, 1], its latent encoded anew."""
    model, clips, latents = parts
    objective = objective_of(model, latents)
    noise = torch.stack([e['image'] for e in examples(objective, 200)]) - clips.image(0)
    logs = noise.flatten(1).std(1).log()
    assert abs(float(logs.mean()) + 3) < 0.12
    assert abs(float(logs.std()) - 0.5) < 0.08
    batch = batch_of(objective)
    assert batch['image'].shape == (1, 1, 3, 32, 48)
    model.transformer.requires_grad_(True)
    objective(batch)['loss'].sum().backward()
    assert all(p.grad is None for p in model.autoencoder.parameters())


def test_text_is_read_from_the_cache_and_dropped_to_no_words(parts):
    model, clips, _ = parts
    latents = encoded(model, clips, Text())
    texts = torch.stack([e['text'] for e in examples(objective_of(model, latents, drop_text=0.4), 200)])
    said = len(clips.info(0)['prompt'])
    assert set(texts.unique().tolist()) == {0.0, float(said)}
    assert abs(float((texts[:, 0, 0] == 0).float().mean()) - 0.4) < 0.1


def test_an_example_depends_on_its_generator_alone(parts):
    """Or results would change with the number of processes."""
    objective = objective_of(parts[0], parts[2])
    torch.manual_seed(1)
    first = batch_of(objective, seed=5)
    torch.manual_seed(2)
    again, other = batch_of(objective, seed=5), batch_of(objective, seed=6)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first['noise'], other['noise'])


def test_latents_are_encoded_once_and_again_when_clip_or_autoencoder_change(parts, tmp_path, monkeypatch):
    model, clips, latents = parts
    done, real = [], latents_module.encode
    monkeypatch.setattr(latents_module, 'encode', lambda c, index, *rest: done.append(index) or real(c, index, *rest))
    encoded(model, clips)
    assert done == []
    os.utime(clips.paths[1], ns=(1, 1))
    latents.path(2).unlink()
    encoded(model, clips)
    assert done == [1, 2]
    model.autoencoder.to_rgb.weight.data += 1  # the decoder: its stage must not cost the latents
    encoded(model, clips)
    assert done == [1, 2]
    model.autoencoder.stem.weight.data += 1
    again = encoded(model, clips)
    assert done == [1, 2, 0, 1, 2]
    assert again.path(0) != latents.path(0)
    encoded(model, clips, folder=tmp_path / 'elsewhere')
    assert len(list((tmp_path / 'elsewhere').glob('latents-*/*.safetensors'))) == 3


def test_cached_latents_are_those_of_the_clip(parts):
    model, clips, latents = parts
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        want = model.autoencoder.latents(clips.sample(1).video)[0].float()
    torch.testing.assert_close(latents.load(1)['target'], want, atol=2e-2, rtol=1e-2)
    stored = load_file(latents.path(1))
    assert stored['videos'].dtype == torch.float16
    assert stored['videos'].shape == (3, 2, 16, 4, 6)


def test_an_encoding_that_was_killed_leaves_no_half_file(parts, monkeypatch):
    model, clips, latents = parts
    latents.path(0).unlink()

    def cut(tensors, path, facts):
        path.write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(latents_module, 'save_file', cut)
    with pytest.raises(KeyboardInterrupt):
        encoded(model, clips)
    assert not latents.path(0).exists()
    monkeypatch.setattr(latents_module, 'save_file', save_file)
    assert encoded(model, clips).load(0)['target'].isfinite().all()


def test_the_cloud_is_that_of_the_model(parts):
    """The stored points fit the model that asked for them; another size of cloud is another cache."""
    model, clips, latents = parts
    other = encoded(replace(model, config=replace(model.config, cloud=48)), clips)
    assert latents.load(0)['points'].shape == (5, 32, 3)
    assert other.load(0)['points'].shape == (5, 48, 3)
