"""SAMURAI's selection: the official run, number by number, and the laws that it should keep beyond it."""

import json

import numpy as np
import pytest

from hoigen.models.samurai import BoxFilter, Choice, MotionSelector, SamuraiConfig, box_iou, memory_frames


@pytest.fixture
def official(golden):
    return dict(np.load(golden / 'fixtures' / 'samurai_kf.npz'))


def candidates(official, frame):
    """The fixture marks a mask without pixels by a box that ends before it begins."""
    boxes = official['in/boxes_xyxy_inclusive'][frame].astype(np.float64)
    return np.where((boxes[:, 2:] < boxes[:, :2]).any(1, keepdims=True), np.nan, boxes), official['in/ious'][frame]


def close(got, want):
    return np.allclose(got, want, rtol=0, atol=1e-6, equal_nan=True)


def test_the_official_run_is_reproduced(official):
    """60 frames with a distractor, an empty mask, loss and recovery: choices, filter, scores and memories agree."""
    published = json.loads(str(official['in/config_json']))
    config = SamuraiConfig(
        published['kf_score_weight'],
        published['stable_frames_threshold'],
        published['stable_ious_threshold'],
        published['memory_bank_iou_threshold'],
        published['memory_bank_obj_score_threshold'],
        published['memory_bank_kf_score_threshold'],
        empty_is_a_box=True,
    )
    count, reach = published['num_maskmem'] - 1, published['max_obj_ptrs_in_encoder'] - 1
    selector, choices, presence = MotionSelector(config), [None], [10.0]
    for row in range(59):
        every = memory_frames(choices, presence, reach + 1, reach, config)
        assert len(every) == official['out/n_mem'][row], row
        kept = [t or -1 for t in memory_frames(choices, presence, count, reach, config)]
        assert [-1] * (count - len(kept)) + kept == official['out/mem'][row].tolist(), row
        boxes, ious = candidates(official, row + 1)
        choice = selector.choose(boxes, ious)
        assert (choice.index, selector.stable) == (official['out/best'][row], official['out/stable_frames'][row]), row
        assert close(choice.iou, official['out/best_iou'][row]), row
        assert close(selector.filter.mean, official['out/kf_mean_after'][row]), row
        assert close(selector.filter.covariance, official['out/kf_cov_after'][row]), row
        assert close([np.nan] * 3 if choice.motions is None else choice.motions, official['out/kf_ious'][row]), row
        assert close(np.nan if choice.motion is None else choice.motion, official['out/kf_score'][row]), row
        choices.append(choice)
        presence.append(float(official['in/object_score_logits'][row + 1]))


def test_the_official_filter_is_reproduced(official):
    """A plain sequence of measurements: every predicted and corrected state."""
    boxes = [np.array([u - a * h / 2, v - h / 2, u + a * h / 2, v + h / 2]) for u, v, a, h in official['kf/meas_xyah']]
    filter_ = BoxFilter(boxes[0])
    states = [(filter_.mean, filter_.covariance)]
    for box in boxes[1:]:
        filter_.predict()
        states.append((filter_.mean, filter_.covariance))
        filter_.update(box)
        states.append((filter_.mean, filter_.covariance))
    assert close([mean for mean, _ in states], official['kf/means'])
    assert close([covariance for _, covariance in states], official['kf/covs'])


def moving(t):
    return np.array([10.0 + 3 * t, 20, 30 + 3 * t, 50])


def steady(frames=20, **config):
    """A selector that has seen one box move evenly."""
    selector = MotionSelector(SamuraiConfig(**config))
    for t in range(frames):
        selector.choose(moving(t)[None], np.array([0.9]))
    return selector


def test_a_look_alike_elsewhere_is_not_taken():
    """Once motion is known, a mask of a little higher quality that jumps away loses to the one that goes on."""
    jump = np.array([200.0, 20, 220, 50])
    both, ious = np.stack([jump, moving(20)]), np.array([0.9, 0.85])
    assert steady().choose(both, ious).index == 1
    unsure = steady(frames=5).choose(both, ious)
    assert unsure.index == 0, 'with too few frames only the quality counts'
    assert unsure.score < steady().choose(both, ious).score, 'and the choice counts less'


def test_an_empty_mask_is_a_lost_frame_and_not_a_box_in_the_corner():
    """The filter must not be pulled to the origin; it starts anew where the instance comes back."""
    selector = steady()
    before = selector.filter.box
    lost = selector.choose(np.full((1, 4), np.nan), np.array([0.9]))
    assert (lost.motion, selector.stable) == (0.0, 0)
    assert np.abs(selector.filter.box - before).max() < 5
    for _ in range(2):
        assert selector.choose(np.full((1, 4), np.nan), np.array([0.9])).motion is None
    selector.choose(moving(40)[None], np.array([0.9]))
    assert np.allclose(selector.filter.box, moving(40))
    pulled = steady(empty_is_a_box=True)
    pulled.choose(np.full((1, 4), np.nan), np.array([0.9]))
    assert np.abs(pulled.filter.box - before).max() > 20, 'what the compatibility switch is for'


def test_memories_are_the_newest_good_frames_and_the_last_one():
    """Frames of low quality, absence or broken motion are left out; the frame just before is always there."""
    good, poor, jumped = (Choice(0, iou, motion, None, 0.0) for iou, motion in ((0.9, None), (0.4, None), (0.9, 0.0)))
    choices = [None, good, good, poor, good, jumped, good, good, poor]
    presence = [9.0, 9, 9, 9, 9, 9, -1, 9, 9]
    assert memory_frames(choices, presence, 6, 15) == [2, 4, 7, 8]
    assert memory_frames(choices, presence, 2, 15) == [7, 8]
    assert memory_frames(choices, presence, 6, 1) == [7, 8]
    assert memory_frames([None], [9.0], 6, 15) == [0]


def test_overlap():
    """A box with itself is 1, with one beside it 0, with none at all 0."""
    box = np.array([0.0, 0, 4, 2])
    others = np.array([[0.0, 0, 4, 2], [4, 0, 8, 2], [2, 0, 6, 2], [np.nan] * 4, [0, 0, 0, 0]])
    assert np.allclose(box_iou(box, others), [1, 0, 1 / 3, 0, 0])
    assert box_iou(np.zeros(4), np.zeros((1, 4))).tolist() == [0]
