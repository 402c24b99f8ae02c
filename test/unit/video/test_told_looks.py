"""A model that is told its look: by the first image, by the empty scene, or by words alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from small_training import SIZE, small_config, write_clips
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.learning.options import Hardware
from hoigen.look.images import image_of
from hoigen.metrics.measures import HUE, OUTLINE_IOU
from hoigen.models.look_words import PARTS, WIDTH
from hoigen.records import Conditions
from hoigen.video import evaluate as evaluation
from hoigen.video import evaluate_looks
from hoigen.video.configuration import refuse_prompt
from hoigen.video.data import ClipSet
from hoigen.video.evaluate_looks import (
    FIRST,
    IMAGE,
    NO_LATENT,
    POINTS,
    SCENE,
    SOURCE,
    WORDS,
    Asked,
    asked_clips,
    look_measures,
    same_hue,
)
from hoigen.video.generator import Generator
from hoigen.video.model import Model, ModelError, build
from hoigen.video.options import DiffusionLoss, EvaluateConfig
from hoigen.video.sampling import Sampling
from hoigen.video.training.autoencoder import some_patches
from hoigen.video.training.diffusion import DiffusionObjective
from hoigen.video.training.latents import LatentSet

GEOMETRY = ('points', 'tracking')


@pytest.fixture(scope='module')
def model() -> Model:
    """Untrained, but with a branch that has an effect."""
    torch.manual_seed(0)
    config = small_config()
    words = {'text_embed_dim': WIDTH, 'max_text_seq_length': len(PARTS), 'in_channels': 64, 'out_channels': 32}
    made = build(
        replace(
            config,
            codec='linear',
            autoencoder={'latent_channels': 32, 'width': 8},
            reads_colours=True,
            looks=['image', 'scene', 'words'],
            transformer=config.transformer | words,
        )
    )
    for layer in made.transformer.zero_layers():
        torch.nn.init.normal_(layer.weight, std=0.1)
    return made


@pytest.fixture(scope='module')
def latents(model: Model, tmp_path_factory: pytest.TempPathFactory) -> LatentSet:
    """Of two clips: one with an empty scene, one without."""
    folder = write_clips(tmp_path_factory.mktemp('clips'), 2)
    first = sorted(folder.glob('*.safetensors'))[0]
    facts = {'info': '{"prompt": "lift the red ball, blue hand"}'}
    clean_background = np.full((1, SIZE['height'], SIZE['width'], 3), 90, np.uint8)
    save_file(load_file(first) | {'clean_background': clean_background}, first, facts)
    clips = ClipSet([folder])
    model.autoencoder.fit(some_patches(clips, 0))
    return LatentSet(clips, model, Hardware().accelerator())


def example(model: Model, latents: LatentSet, index: int, **loss: object) -> dict[str, torch.Tensor]:
    plain = {'drop_condition': 0.0, 'drop_control': 0.0, 'drop_text': 0.0, 'image_noise': False}
    objective = DiffusionObjective(
        model.transformer, latents, model.scheduler, DiffusionLoss(**plain | loss), lambda image: image, by_row=True
    )
    return objective.example(index, torch.Generator().manual_seed(3))


def test_the_image_tells_the_look(model: Model, latents: LatentSet) -> None:
    made = example(model, latents, 0)
    assert made['image_kept'] == 1
    assert made['kept'].tolist() == [1, 1, 1]


def test_the_empty_scene_tells_the_look_in_place_of_the_image(model: Model, latents: LatentSet) -> None:
    """The whole clip's background, in the place of the coloured points; a clip without one is told by its image."""
    made = example(model, latents, 0, look=(0.0, 1.0, 0.0), coloured=0.0)
    assert made['image_kept'] == 0
    assert made['kept'].tolist() == [1, 1, 1]
    assert (made['coloured'] == made['coloured'][:1]).all()
    lacking = example(model, latents, 1, look=(0.0, 1.0, 0.0), coloured=0.0)
    assert lacking['image_kept'] == 1
    assert lacking['kept'].tolist() == [1, 1, 0]


def test_words_alone_tell_the_look(model: Model, latents: LatentSet) -> None:
    made = example(model, latents, 0, look=(0.0, 0.0, 1.0), coloured=0.0)
    assert made['image_kept'] == 0
    assert made['kept'].tolist() == [1, 1, 0]
    assert made['text'].any(dim=1).tolist() == [True, True, False, False, False]


def test_each_parts_colour_is_left_out_alone(model: Model, latents: LatentSet) -> None:
    """So that a prompt may name any of them."""
    objective = DiffusionObjective(
        model.transformer, latents, model.scheduler, DiffusionLoss(drop_text=0.5), lambda image: image, by_row=True
    )
    generator = torch.Generator().manual_seed(0)
    named = torch.stack([objective.example(0, generator)['text'].any(dim=1)[:2] for _ in range(40)])
    assert {tuple(row) for row in named.tolist()} == {(a, b) for a in (False, True) for b in (False, True)}


@pytest.fixture(scope='module')
def conditions() -> Conditions:
    clip = build_clip(*moving_scene(frames=5, **SIZE), ConditioningConfig(points=256, tracks=16))
    made = build_conditions(clip, **SIZE)
    return replace(made, prompt='a red ball', background_known=np.ones_like(made.background_known))


@pytest.mark.parametrize(
    ('look', 'image', 'scene', 'words'),
    [('image', True, False, True), ('scene', False, True, True), ('words', False, False, True)],
)
def test_a_look_reads_what_it_is_told_by_and_nothing_else(
    model: Model, conditions: Conditions, latents: LatentSet, look: str, image: bool, scene: bool, words: bool
) -> None:
    """Told by words, a video must not copy the simulator's colours from its first image or its background."""
    generator = Generator(model)

    def made(**change: object) -> np.ndarray:
        given = replace(conditions, **change)
        return generator.latents(given, seed=1, sampling=Sampling(conditions=GEOMETRY, look=look)).numpy()  # type: ignore[arg-type]

    own = made()
    assert (made(image=255 - conditions.image) != own).any() == image
    assert (made(background=255 - conditions.background) != own).any() == scene
    assert (made(prompt='a blue ball') != own).any() == words


def test_coloured_points_are_left_out_where_the_image_does_not_tell_the_look(
    model: Model, conditions: Conditions, latents: LatentSet
) -> None:
    """By default the branch reads all that it has learnt, but these have the first image's colours."""
    generator = Generator(model)
    plain = generator.latents(conditions, seed=1, sampling=Sampling(conditions=GEOMETRY, look='words'))
    assert torch.equal(generator.latents(conditions, seed=1, sampling=Sampling(look='words')), plain)
    with pytest.raises(ValueError, match='conditions: expected no coloured points'):
        Sampling(look='words', conditions=('coloured',))


def test_what_a_model_cannot_be_told_is_refused(model: Model, conditions: Conditions) -> None:
    unknown = replace(conditions, background_known=np.zeros_like(conditions.background_known))
    with pytest.raises(ValueError, match=r'look: expected a background that is known everywhere.*, got 100% of it'):
        Generator(model).render(unknown, seed=1, sampling=Sampling(look='scene'))
    published = Generator(replace(model, config=replace(model.config, looks=['image'])))
    with pytest.raises(ValueError, match='look: expected one of image, which small has learnt, got words'):
        published.render(conditions, seed=1, sampling=Sampling(look='words'))


def test_a_prompt_without_colours_is_refused() -> None:
    """It would be read as no words at all."""
    refuse_prompt('tiny-look', 'lift the red mug')
    with pytest.raises(ModelError, match=r"prompt: expected a colour before one of hand, .*, got 'a bright kitchen'"):
        refuse_prompt('tiny-look', 'a bright kitchen')


@pytest.fixture(scope='module')
def asked(model: Model) -> Asked:
    size = {'width': 96, 'height': 64, 'frames': 17}
    [one] = asked_clips(Generator(replace(model, config=replace(model.config, **size))), 1)
    return one


def test_a_look_is_measured_against_the_one_that_was_asked_for(asked: Asked) -> None:
    """The true video is all right, the source's own look and the empty scene are not."""
    true = look_measures(asked.truth, asked)
    assert true[OUTLINE_IOU] == 1
    assert true[HUE] in (1, pytest.approx(np.nan, nan_ok=True))
    empty = np.repeat(asked.clean_background[None], len(asked.truth), 0)
    assert look_measures(empty, asked)[OUTLINE_IOU] == 0
    red, green = np.array([200.0, 40, 40]), np.array([40.0, 200, 40])
    assert (same_hue(red, red * 0.8), same_hue(green, red)) == (1, 0)
    assert np.isnan(same_hue(red, np.full(3, 90.0)))


def test_an_untrained_model_misses_its_bounds(
    model: Model, asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole evaluation, each look and measure of it: what cannot generate is not passed."""
    generator = Generator(replace(model, config=replace(model.config, width=96, height=64, frames=17)))
    monkeypatch.setattr(evaluation, 'load_generator', lambda name: generator)
    monkeypatch.setattr(evaluate_looks, 'asked_clips', lambda *_: [asked])
    assert evaluation.evaluate(EvaluateConfig(clips=1, out=tmp_path)) == 1
    results = json.loads((tmp_path / 'results.json').read_text())
    assert list(results['means']) == [SOURCE, FIRST, IMAGE, POINTS, SCENE, WORDS, NO_LATENT]
    assert any(fault.startswith('PSNR hand-object of "image"') for fault in results['missed'])
    assert 'hue as asked ↑' in (tmp_path / 'table.md').read_text()
    assert image_of((tmp_path / 'sheet.png').read_bytes()).shape == (68, 8 * (2 * 96 + 6), 3)
