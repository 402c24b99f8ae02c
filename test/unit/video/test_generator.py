"""The shipped generator on a scene of the simulator: labelled, repeatable, and refusing what does not fit."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from simulated_scene import simulate

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, scene_images
from hoigen.look.images import image_of
from hoigen.metrics.fidelity import fidelity
from hoigen.video import load_generator
from hoigen.video.inputs import tracking_video
from hoigen.video.sampling import Sampling
from hoigen.video.style import Style
from hoigen.video.styled import styled
from hoigen.video.views import view_conditions


@pytest.fixture(scope='module')
def generator():
    return load_generator('tiny')


@pytest.fixture(scope='module')
def scene():
    """Five frames (4k+1) of a held-out episode: clip and conditions at the model's size."""
    made = simulate(5, width=192, height=128, task='lift', shape='mug', split='heldout')
    clip = build_clip(made.episode.assets, made.frames[::4])
    return clip, build_conditions(clip, width=192, height=128)


def test_the_same_seed_gives_the_same_frames_bit_for_bit(generator, scene):
    """A data set must be reproducible: same seed same frames; labels and stamps are the scene's."""
    clip, conditions = scene
    first, again, other = (generator.generate(conditions, clip.labels, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert first.labels == clip.labels
    assert np.array_equal(first.stamps_ns, clip.stamps_ns)
    assert first.provenance.seed == 1
    assert all(len(h) == 64 for h in first.provenance.weights.values())


def test_the_generated_frames_follow_the_scene(generator, scene):
    """Where hand and object are, frames are far nearer to their own instant than to the first: they move as it does."""
    clip, conditions = scene
    made = generator.generate(conditions, clip.labels, seed=0)
    region = conditions.mask[-1] > 0
    own, first = (np.abs(made.frames[-1].astype(int) - clip.rgb[t])[region].mean() for t in (-1, 0))
    assert own < 0.6 * first
    assert made.fidelity.mean > 0.6


def test_frames_of_a_larger_source_are_of_its_size(generator):
    """Sharp where hand and object end, and the same video as at the model's size; judged as it is, not as it was."""
    made = simulate(5, width=400, height=260, task='lift', shape='mug', split='heldout')
    clip = build_clip(made.episode.assets, made.frames[::4], ConditioningConfig(points=8192))
    [conditions] = view_conditions([styled(clip, Style())], width=192, height=128, detail=True)
    assert conditions.detail.image.shape == (260, 390, 3)
    large = generator.generate(conditions, clip.labels, seed=1)
    small = generator.generate(replace(conditions, detail=None), clip.labels, seed=1)
    assert large.frames.shape == (5, 260, 390, 3)
    assert (large.cameras[0].width, large.cameras[0].height) == (390, 260)
    true = scene_images(clip, 390, 260)
    enlarged = np.stack([cv2.resize(f, (390, 260), interpolation=cv2.INTER_CUBIC) for f in small.frames])
    region = conditions.detail.mask > 0
    off = [np.abs(video.astype(int) - true)[region].mean() for video in (large.frames, enlarged)]
    assert off[0] < 0.9 * off[1]
    shrunk = np.stack([cv2.resize(f, (192, 128), interpolation=cv2.INTER_AREA) for f in large.frames])
    assert np.abs(shrunk.astype(int) - small.frames).mean() < 3
    assert large.fidelity.mean > small.fidelity.mean - 0.05


def test_a_source_of_the_models_size_has_no_detail(scene):
    [conditions] = view_conditions([styled(scene[0], Style())], width=192, height=128, detail=True)
    assert conditions.detail is None


def test_the_images_of_conditions_are_of_what_the_branch_reads(generator, scene):
    """Of the conditions that are asked for and no other; small, one for each frame."""
    _, conditions = scene
    stamps = conditions.stamps_ns.tolist()
    read = generator.condition_images(conditions)
    assert list(read) == ['points', 'tracking', 'coloured']
    assert all(list(files) == stamps for files in read.values())
    assert sum(len(file) for files in read.values() for file in files.values()) < 10_000 * len(stamps)
    shown = image_of(read['tracking'][stamps[-1]]).astype(int)
    colours = generator._model.config.tracking_colours
    assert np.abs(shown - tracking_video(conditions, colours)[-1]).mean() < 10  # WebP
    lit = image_of(read['points'][stamps[-1]]).max(axis=-1) > 60
    assert (conditions.mask[-1][lit] > 0).mean() > 2 * (conditions.mask[-1] > 0).mean()
    assert list(generator.condition_images(conditions, Sampling(conditions=('coloured',)))) == ['coloured']
    empty = replace(
        conditions,
        **{name: getattr(conditions, name)[:, :0] for name in ('points', 'point_pixels', 'point_depth_m')},
        point_visible=conditions.point_visible[:, :0],
        point_role=conditions.point_role[:0],
    )
    assert image_of(generator.condition_images(empty)['points'][stamps[0]]).max() < 8


def test_fidelity_falls_when_the_frames_do_not_follow_the_condition(generator, scene):
    """The score must see a clip whose frames stand still."""
    clip, conditions = scene
    frozen, true = (
        fidelity(frames, conditions) for frames in (np.repeat(conditions.image[None], len(clip.stamps_ns), 0), clip.rgb)
    )
    for name in ('value', 'outline', 'motion'):
        assert getattr(frozen, name)[-1] < getattr(true, name)[-1] - 0.2
    assert true.value.min() > 0.5


def test_progress_is_told_and_cancel_stops(generator, scene):
    clip, conditions = scene
    seen = []
    generator.generate(conditions, clip.labels, seed=0, sampling=Sampling(steps=3), on_step=lambda *a: seen.append(a))
    assert [(done, steps) for done, steps, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[0][2].shape == (128, 192, 3)

    def stop(*_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        generator.generate(conditions, clip.labels, seed=0, on_step=stop)


def test_conditions_of_another_size_are_refused(generator, scene):
    clip, _ = scene
    small = build_conditions(clip, width=96, height=64)
    with pytest.raises(ValueError, match=r'expected 4k\+1 frames of 192x128, got 5 of 96x64'):
        generator.generate(small, clip.labels, seed=0)


def test_without_conditions_the_branch_never_runs(generator, scene):
    """``conditions=()`` is the backbone alone: no block of the branch is asked, and no cloud is needed."""
    _, conditions = scene
    empty = replace(
        conditions,
        points=conditions.points[:, :0],
        point_pixels=conditions.point_pixels[:, :0],
        point_depth_m=conditions.point_depth_m[:, :0],
        point_visible=conditions.point_visible[:, :0],
        point_role=conditions.point_role[:0],
    )
    asked = []
    hook = generator._model.transformer.transformer_blocks_copy[0].register_forward_hook(lambda *_: asked.append(1))
    alone, mute = (
        generator.render(empty, seed=1, sampling=Sampling(**settings))
        for settings in ({'conditions': ()}, {'conditions': ('tracking',), 'strength': 0.0})
    )
    hook.remove()
    assert len(asked) == generator.steps, 'only the one with strength 0 runs it'
    assert np.array_equal(alone, mute)


@pytest.mark.parametrize(
    ('change', 'settings', 'message'),
    [
        ({'points': 0}, {}, 'points: expected a cloud of at least 512, got an empty cloud'),
        ({'stamps_ns': 0}, {}, 'stamps_ns: expected rising stamps'),
        ({}, {'guidance': 6.0}, 'guidance: expected 1, tiny does not read text, got 6.0'),
    ],
)
def test_what_does_not_fit_is_refused_before_it_costs_time(generator, scene, change, settings, message):
    """Each with a sentence that says what was expected: an empty cloud, stamps that stand still, text for a model
    that reads none."""
    _, conditions = scene
    if 'points' in change:
        conditions = replace(
            conditions,
            **{
                name: getattr(conditions, name)[:, :0]
                for name in ('points', 'point_pixels', 'point_depth_m', 'point_visible')
            },
            point_role=conditions.point_role[:0],
        )
    if 'stamps_ns' in change:
        conditions = replace(conditions, stamps_ns=np.zeros_like(conditions.stamps_ns))
    with pytest.raises(ValueError, match=message):
        generator.render(conditions, seed=0, sampling=Sampling(**settings))


def test_labels_that_do_not_match_the_frames_are_refused(generator, scene):
    clip, conditions = scene
    with pytest.raises(ValueError, match='labels: expected 5, one for each frame, got 4'):
        generator.generate(conditions, clip.labels[:4], seed=0)


def test_the_tensors_do_not_depend_on_the_prompt(generator, scene):
    """The tiny model was trained without text; its card says so, and a prompt must not change the frames."""
    clip, conditions = scene
    said = replace(conditions, prompt='something else entirely')
    a, b = (generator.generate(c, clip.labels, seed=3).frames for c in (conditions, said))
    assert np.array_equal(a, b)
