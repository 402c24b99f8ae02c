"""Masks by SAM 2.1: real model classes at toy size with random weights show the plumbing, and laws the fusion."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_perception import toy_sam
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from hoigen.models.hub import MissingWeights, ModelError
from hoigen.models.sam2 import (
    FrameCache,
    History,
    InstanceSession,
    MotionAwareSam,
    load_sam,
    mask_boxes,
    published_config,
)
from hoigen.models.samurai import SamuraiConfig
from hoigen.perception.learned.sam import View, fuse, segment_with_sam
from hoigen.perception.records import Boxes, PerceptionError
from hoigen.records import Footage

FRAMES, HEIGHT, WIDTH = 9, 48, 64
TRUSTING = SamuraiConfig(motion_weight=0, memory_iou=-1, memory_presence=-1e9, memory_motion=-1)
"""Every memory is good, and motion counts for nothing: what is left is SAM."""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sam')
    toy_sam().save_pretrained(folder)
    return folder


@pytest.fixture
def model(folder):
    return load_sam(str(folder), 'cpu')


@pytest.fixture(scope='module')
def footage():
    rgb = np.random.default_rng(0).integers(0, 255, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    return Footage(np.arange(FRAMES, dtype=np.int64), rgb, None, None)


def boxes_at(*starts, role=(1, 2, 1), frames=FRAMES):
    """An instance per start: its best box is in that frame, a worse one in the frame after; None: no box at all."""
    boxes = np.full((frames, len(starts), 4), np.nan, np.float32)
    score = np.zeros((frames, len(starts)), np.float32)
    for i, start in enumerate(starts):
        for t, value in () if start is None else ((start, 0.9), (start + 1, 0.4)):
            boxes[t, i], score[t, i] = (5 + 15 * i, 5, 30 + 15 * i, 30), value
    return Boxes(np.array(role[: len(starts)], np.uint8), boxes, score)


@pytest.fixture
def visits(monkeypatch):
    """(frame, backwards, prompted) of every time that a model looked at a frame."""
    seen = []
    look = MotionAwareSam._run_single_frame_inference

    def noted(self, **given):
        seen.append((given['frame_idx'], given['reverse'], given['is_init_cond_frame']))
        return look(self, **given)

    monkeypatch.setattr(MotionAwareSam, '_run_single_frame_inference', noted)
    return seen


def sees(model, visits, present):
    """The model says that the instance is in view in the frames that ``present`` says, and is sure of its masks."""
    model.mask_decoder.pred_obj_score_head.forward = lambda tokens: torch.full(
        (*tokens.shape[:-1], 1), 6.0 if present(visits[-1][0]) else -6.0
    )
    model.mask_decoder.iou_prediction_head.forward = lambda tokens: torch.tensor([0.8, 0.9, 0.7, 0.6]).expand(
        *tokens.shape[:-1], 4
    )


def test_every_frame_between_is_seen_in_both_directions(model, footage, visits):
    """From the best box forwards, from the last sure frame backwards, from the first sure frame forwards again."""
    sees(model, visits, lambda frame: 1 <= frame <= 6)
    segment_with_sam(footage, boxes_at(4), model)
    prompted = [frame for frame, _, first in visits if first]
    assert prompted == [4, 4, 6, 4, 1], "the box, then masks: the box's and the last, the box's and the first"
    tracked = [(frame, backwards) for frame, backwards, first in visits if not first]
    assert tracked == [(t, False) for t in (5, 6, 7, 8)] + [(t, True) for t in (5, 3, 2, 1, 0)] + [
        (t, False) for t in (2, 3)
    ]


@pytest.mark.parametrize(('width', 'weight'), [(96, 0.25), (112, 0.25), (144, 0.15)])
def test_the_large_model_has_its_own_published_weight(width, weight):
    config = Sam2VideoConfig(vision_config=Sam2VisionConfig(backbone_config=Sam2HieraDetConfig(hidden_size=width)))
    assert published_config(SimpleNamespace(config=config)).motion_weight == weight


def test_gaps_are_where_sam_sees_nothing(model, footage, visits):
    """The instance is marked exactly in the frames in which it is in view; it keeps its number when it comes back."""
    sees(model, visits, lambda frame: frame not in (2, 6, 7))
    marked = (segment_with_sam(footage, boxes_at(None, 4), model).instance == 2).any((1, 2))
    assert marked.tolist() == [t not in (2, 6, 7) for t in range(FRAMES)]


def test_a_box_in_which_sam_sees_nothing_marks_nothing(model, footage, visits):
    sees(model, visits, lambda frame: frame != 4)
    assert not segment_with_sam(footage, boxes_at(4), model).instance.any()
    assert len(visits) == 1, 'nothing is followed from there'


def test_instances_keep_their_numbers_and_the_surer_one_has_the_pixel(model, footage, visits):
    """An instance alone marks what it marks beside others, but for the pixels of which another is surer."""
    sees(model, visits, lambda frame: True)
    both = segment_with_sam(footage, boxes_at(3, None, 5), model)
    assert both.role.tolist() == [1, 2, 1]
    assert set(np.unique(both.instance)) == {0, 1, 3}, 'one without a box marks nothing'
    first = segment_with_sam(footage, boxes_at(3, None, None), model).instance == 1
    third_boxes = boxes_at(None, None, 5)
    third = segment_with_sam(footage, third_boxes, model).instance == 3
    assert np.array_equal(both.instance > 0, first | third)
    assert (both.instance == 1)[first & ~third].all()
    assert (both.instance == 3)[third & ~first].all()
    contested = both.instance[first & third]
    assert {1, 3} == set(contested), 'each is surer somewhere'


def test_the_same_input_gives_the_same_masks(model, folder, footage):
    again = load_sam(str(folder), 'cpu')
    a, b = (segment_with_sam(footage, boxes_at(3, 5), m).instance for m in (model, again))
    assert np.array_equal(a, b)
    assert a.any()


def test_features_of_a_frame_are_made_once(model, footage):
    """The picture encoder is nearly all of the work: one run per frame, whatever the instances and directions."""
    runs = []
    model.vision_encoder.register_forward_hook(lambda *_: runs.append(1))
    segment_with_sam(footage, boxes_at(3, 5), model)
    assert len(runs) == FRAMES


def test_the_beginning_is_the_librarys_own(model, folder, footage):
    """Without motion and with every memory good, the first frames are what transformers' model gives for this box."""
    rgb = footage.rgb
    ours = InstanceSession(rgb, 128, FrameCache(torch.device('cpu'), FRAMES), torch.float32, TRUSTING)
    ours.prompt_box(0, np.array([5, 5, 30, 30]))
    plain = Sam2VideoModel.from_pretrained(folder).eval()
    session = Sam2VideoInferenceSession(
        torch.stack([ours.get_frame(t) for t in range(FRAMES)]), HEIGHT, WIDTH, dtype=torch.float32
    )
    session.obj_id_to_idx(0)
    session.add_point_inputs(0, 0, ours.point_inputs_per_obj[0][0])
    session.obj_with_new_inputs = [0]
    for t in range(4):
        got, want = (m(inference_session=s, frame_idx=t).pred_masks for m, s in ((model, ours), (plain, session)))
        same = (got - want).abs().max() < 1e-7  # float noise is 1e-9
        assert same == (t < 3), 'then the first tracked frame is no longer remembered'


def test_a_box_is_where_the_picture_shows_it(footage):
    """Prompts are in the model's square picture: the borders of the footage are its borders."""
    session = InstanceSession(footage.rgb, 128, FrameCache(torch.device('cpu'), FRAMES), torch.float32, TRUSTING)
    session.prompt_box(0, np.array([-0.5, -0.5, WIDTH - 0.5, HEIGHT / 2 - 0.5]))
    assert session.point_inputs_per_obj[0][0]['point_coords'].tolist() == [[[[0, 0], [128, 64]]]]
    assert session.point_inputs_per_obj[0][0]['point_labels'].tolist() == [[[2, 3]]]


def test_samurai_decides_what_is_remembered(model, footage, visits):
    """With every memory good the attention reads six tracked frames; with none only the one before."""
    sees(model, visits, lambda frame: True)
    lengths = {}
    for name, threshold in (('all', 0.5), ('none', 1.5)):
        read = []
        handle = model.memory_attention.register_forward_pre_hook(
            lambda _, args, given, read=read: read.append(
                (given['memory'].shape[0] - given['num_object_pointer_tokens']) // 64
            ),
            with_kwargs=True,
        )
        segment_with_sam(footage, boxes_at(0), model, SamuraiConfig(memory_iou=threshold))
        handle.remove()
        lengths[name] = read
    assert lengths['all'][:8] == [1, 2, 2, 3, 4, 5, 6, 7], 'the prompted frame, and from the second tracked on all good'
    assert set(lengths['none'][:8]) == {1, 2}


def test_the_newest_memory_is_the_youngest(model, footage):
    """The age by which SAM places a memory in time counts the trusted frames back from now, as SAMURAI does."""
    session = InstanceSession(footage.rgb, 128, FrameCache(model.device, FRAMES), torch.float32, TRUSTING)
    session.prompt_box(8, np.array([5, 5, 30, 30]))
    for t in (8, 7, 6, 5, 4):
        model(inference_session=session, frame_idx=t, reverse=True)
    tracked = session.output_dict_per_obj[0]['non_cond_frame_outputs']
    memories = model._gather_memory_frame_outputs(session, 0, 3, True)
    assert [age for age, _ in memories] == [0, 3, 2, 1]
    assert [out is tracked[t] for (_, out), t in zip(memories[1:], (6, 5, 4), strict=True)] == [True] * 3


def test_samurai_decides_which_candidate_is_kept(model, footage, monkeypatch):
    """The mask that it chooses is the one that comes out, with its quality."""
    given = {}

    def choose(self, masks, ious, present):
        given['masks'], given['ious'] = masks.clone(), ious.clone()
        self._chosen, self.quality, self.score = None, float(ious[choice]), 0.0
        return choice

    monkeypatch.setattr(History, 'choose', choose)
    for choice in range(3):
        session = InstanceSession(footage.rgb, 128, FrameCache(model.device, FRAMES), torch.float32, TRUSTING)
        session.prompt_box(0, np.array([5, 5, 30, 30]))
        model(inference_session=session, frame_idx=0)
        out = model(inference_session=session, frame_idx=1)
        assert given['masks'].shape[0] == 3
        if (out.object_score_logits > 0).all():
            assert torch.equal(out.pred_masks[0, 0], given['masks'][choice])
        assert session.history.quality == float(given['ious'][choice])


def drawn(u, v, half=6):
    """Logits [32,32] of a square in the decoder's grid."""
    rows, columns = np.mgrid[:32, :32]
    return torch.tensor(np.where((abs(columns - u) <= half) & (abs(rows - v) <= half), 9.0, -9.0), dtype=torch.float32)


@pytest.mark.parametrize(('motion_weight', 'fooled'), [(0.25, False), (0.0, True)])
def test_a_look_alike_does_not_take_over(model, visits, motion_weight, fooled):
    """A mask elsewhere that looks better for three frames: who knows the motion stays, in the fused masks too.

    The decoder is scripted; the rest is the real way from footage to masks.
    """
    frames = 26
    rgb = np.zeros((frames, 96, 128, 3), np.uint8)

    def decode(multimask_output, **_):
        t = visits[-1][0]
        tricky = 19 <= t <= 21
        masks = torch.stack([drawn(8 + 0.4 * t, 16), drawn(25, 25, 4), drawn(8 + 0.4 * t, 16, 2)])
        ious = torch.tensor([0.8, 0.88 if tricky else 0.5, 0.4])
        count = 3 if multimask_output else 1
        return (
            masks[None, None, :count],
            ious[None, None, :count],
            torch.zeros(1, 1, count, 128),
            torch.full((1, 1, 1), 6.0),
        )

    model.mask_decoder.forward = decode
    box = np.full((frames, 1, 4), np.nan, np.float32)
    box[0] = 8, 30, 60, 68
    found = segment_with_sam(
        Footage(np.arange(frames, dtype=np.int64), rgb, None, None),
        Boxes(np.array([2], np.uint8), box, np.eye(frames, 1, dtype=np.float32)),
        model,
        SamuraiConfig(motion_weight),
    )
    for t in range(frames):
        truth = np.zeros((96, 128), bool)
        truth[30:69, round((2 + 0.4 * t) * 4) : round((15 + 0.4 * t) * 4)] = True
        mask = found.instance[t] == 1
        overlap = (mask & truth).sum() / (mask | truth).sum()
        assert (overlap < 0.1) if fooled and 19 <= t <= 21 else (overlap > 0.85), (t, overlap)


def test_it_runs_in_bfloat16(model, footage):
    """As on a GPU; the masks come out in the footage's size all the same."""
    assert segment_with_sam(footage, boxes_at(3, 5), model.to(torch.bfloat16)).instance.shape == footage.rgb.shape[:3]


def test_no_instances_are_no_masks(model, footage):
    assert not segment_with_sam(footage, boxes_at(), model).instance.any()
    with pytest.raises(PerceptionError, match=r'expected 9 frames, as the footage has.* got 7 frames'):
        segment_with_sam(footage, boxes_at(3, frames=7), model)


def test_missing_or_wrong_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    with pytest.raises(MissingWeights, match=r'hoigen models fetch sam2-tiny \(licence: Apache-2.0\)'):
        load_sam('sam2-tiny', 'cpu')
    with pytest.raises(ModelError, match=r"expected one of .*, got 'sam3'; did you mean 'sam2'"):
        load_sam('sam3', 'cpu')
    damaged = toy_sam()
    del damaged.no_memory_embedding
    damaged.save_pretrained(tmp_path / 'damaged')
    with pytest.raises(ModelError, match='missing no_memory_embedding'):
        load_sam(str(tmp_path / 'damaged'), 'cpu')


def test_boxes_of_masks():
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, 1:3, 2:5] = True
    masks[2, 3, 5] = True
    assert np.array_equal(mask_boxes(masks), [[2, 1, 5, 3], [np.nan] * 4, [5, 3, 6, 4]], equal_nan=True)


def view(columns, score=0.9, presence=0.9, logit=8.0):
    """A mask over some columns."""
    logits = torch.full((8, 8), -logit)
    logits[:, list(columns)] = logit
    return View(logits, 0.9, score, presence)


def masked(views):
    probability, weight = fuse(views, 8, 8)
    return probability[0] > 0.5, weight


def test_one_direction_is_its_own_mask_and_two_equal_ones_are_one():
    alone, weight = masked([view(range(2, 6))])
    assert alone.tolist() == [2 <= u < 6 for u in range(8)]
    twice, same = masked([view(range(2, 6)), view(range(2, 6))])
    assert np.array_equal(alone, twice)
    assert weight == pytest.approx(same) == pytest.approx(0.81)


def test_directions_that_agree_are_averaged_by_their_weights():
    """The pixel on which they differ goes with the surer one; the order of the directions does not matter."""
    wide, narrow = view(range(2, 6), score=0.9), view(range(2, 5), score=0.6)
    for views in ([wide, narrow], [narrow, wide]):
        assert masked(views)[0][5]
    wide, narrow = view(range(2, 6), score=0.6), view(range(2, 5), score=0.9)
    for views in ([wide, narrow], [narrow, wide]):
        assert not masked(views)[0][5]
        assert masked(views)[1] == pytest.approx((0.6 + 0.9) / 2 * 0.9)


def test_of_directions_that_disagree_the_surer_one_counts_alone():
    """Their mean would be a mask of nothing: each denies what the other marks."""
    left, right = view(range(4), score=0.9, logit=0.8), view(range(4, 8), score=0.8)
    assert masked([right, left])[0].tolist() == [u < 4 for u in range(8)]


def test_out_of_view_by_the_mean_presence():
    assert masked([view(range(4), presence=0.95), view(range(4), presence=0.2)])[0].any()
    gone, weight = masked([view(range(4), presence=0.6), view(range(4), presence=0.2)])
    assert not gone.any()
    assert weight == 0


def test_masks_are_resized_to_the_footage():
    probability, _ = fuse([view(range(4))], 16, 24)
    assert probability.shape == (16, 24)
    assert (probability[:, :10] > 0.5).all()
    assert (probability[:, 14:] < 0.5).all()
