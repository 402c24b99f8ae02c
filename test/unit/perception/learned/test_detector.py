"""Boxes by a detector: linked into instances that keep their numbers; real model classes at toy size find them."""

import json

import numpy as np
import pytest
import torch
from toy_perception import toy_sam, write_detector

from hoigen.conventions import HAND, OBJECT
from hoigen.models import detectors
from hoigen.models.hub import MissingWeights, ModelError
from hoigen.perception.learned.detector import detect, load_detector
from hoigen.perception.learned.linking import Detections, link, without_doubles
from hoigen.perception.records import Boxes, Detector, PerceptionError
from hoigen.records import Footage

WIDTH, HEIGHT = 200, 100
ROLES = {'hand': HAND, 'cup': OBJECT, 'can': OBJECT}


def footage_of(frames):
    """Frames that a plug-in can tell apart: each is filled with its number."""
    rgb = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    rgb[:] = np.arange(frames)[:, None, None, None]
    return Footage(np.arange(frames, dtype=np.int64), rgb, None, None)


def square(u, v=50.0, half=10.0):
    return np.array([u - half, v - half, u + half, v + half])


def scripted(*things, roles=ROLES):
    """A plug-in detector that sees things (label, function of the frame's number -> box or None, score)."""

    def find(frame):
        seen = [(box(int(frame[0, 0, 0])), score, label) for label, box, score in things]
        seen = [thing for thing in seen if thing[0] is not None]
        return (
            np.array([b for b, _, _ in seen]).reshape(-1, 4),
            np.array([s for _, s, _ in seen]),
            [label for _, _, label in seen],
        )

    return Detector(find, roles)


def still(label, u, **at):
    return label, lambda t: square(u, **at), 0.9


def test_moving_hand_and_object_are_two_instances_with_gaps():
    """Roles, places and scores are the detector's; a missed frame is NaN and does not change the number."""
    hand = ('hand', lambda t: None if t == 7 else square(30 + 4 * t), 0.8)
    cup = ('cup', lambda t: square(45 + 4 * t), 0.6)
    boxes = detect(footage_of(20), scripted(cup, hand))
    assert boxes.role.tolist() == [1, 2]
    assert np.isnan(boxes.boxes[7, 0]).all()
    seen = np.arange(20) != 7
    assert np.allclose(boxes.boxes[seen, 0], [square(30 + 4 * t) for t in np.flatnonzero(seen)])
    assert np.allclose(boxes.score[:, 0], np.where(seen, 0.8, 0))
    assert np.allclose(boxes.boxes[:, 1], [square(45 + 4 * t) for t in range(20)])


def test_what_leaves_and_comes_back_keeps_its_number():
    """Far from where it left, and after longer than its motion can be foreseen."""
    left = ('hand', lambda t: square(30 + t) if t < 8 else square(150) if t >= 20 else None, 0.9)
    right = still('hand', 80)
    boxes = detect(footage_of(30), scripted(left, right))
    assert boxes.role.tolist() == [1, 1]
    assert np.allclose(boxes.boxes[25], [square(150), square(80)])


def test_two_hands_that_pass_each_other_are_told_apart_by_their_motion():
    """Where they meet, the box that goes on as before is the same hand."""
    hands = [('hand', lambda t, s=s: square(100 + s * (t - 10) * 6, 50 + s * 8), 0.9) for s in (1, -1)]
    tracks = link(
        [Detections(np.array([box(t) for _, box, _ in hands]), np.full(2, 0.9), ('hand', 'hand')) for t in range(21)]
    )
    assert len(tracks) == 2
    for track, sign in zip(tracks, (1, -1), strict=True):
        assert np.allclose(track.boxes[20], square(100 + sign * 60, 50 + sign * 8))


def test_a_new_thing_is_a_new_number_while_the_old_one_is_only_missed():
    """A thing that shows up elsewhere just after another was missed is not that other."""
    first = ('can', lambda t: None if 6 <= t < 9 else square(30), 0.9)
    second = ('can', lambda t: square(150) if t >= 7 else None, 0.9)
    boxes = detect(footage_of(20), scripted(first, second))
    assert np.allclose(boxes.boxes[15], [square(30), square(150)])


def test_one_thing_with_two_labels_is_one():
    found = Detections(np.array([square(50), square(51), square(90)]), np.array([0.6, 0.9, 0.5]), ('cup', 'can', 'cup'))
    kept = without_doubles(found)
    assert kept.labels == ('can', 'cup')
    assert kept.scores.tolist() == [0.9, 0.5]
    none = without_doubles(found.only(np.zeros(3, bool)))
    assert not len(none.scores)


def test_flicker_and_things_that_no_hand_touches_are_left_out():
    """A background full of cups is not handled; without any hand in the footage all things count."""
    hand, cup, far = still('hand', 30), still('cup', 48), still('cup', 150)
    once = ('can', lambda t: square(35, 30) if t == 5 else None, 0.9)
    boxes = detect(footage_of(20), scripted(hand, cup, far, once))
    assert np.allclose(boxes.boxes[0], [square(30), square(48)])
    assert len(detect(footage_of(20), scripted(cup, far)).role) == 2


def test_what_moves_is_added_where_the_detector_missed_it():
    """Its instances come after the detected ones; the same hand is not there twice."""
    frames = 10
    places = np.stack([square(32), square(100), square(160)]).astype(np.float32)
    motion = Boxes(
        np.array([1, 2, 1], np.uint8), np.tile(places, (frames, 1, 1)), np.full((frames, 3), 0.3, np.float32)
    )
    boxes = detect(footage_of(frames), scripted(still('hand', 30), still('cup', 45)), motion)
    assert boxes.role.tolist() == [1, 2, 2, 1]
    assert np.allclose(boxes.boxes[3], [square(30), square(45), square(100), square(160)])
    alone = detect(footage_of(frames), scripted(), motion)
    assert np.array_equal(alone.boxes, motion.boxes)


def test_nothing_found_is_no_instance():
    boxes = detect(footage_of(5), scripted())
    assert boxes.boxes.shape == (5, 0, 4)


def test_boxes_are_cut_to_the_picture_and_strange_labels_left_out():
    beyond = ('hand', lambda t: np.array([-50.0, 20, 40, 300]), 0.9)
    outside = ('hand', lambda t: np.array([300.0, 20, 340, 40]), 0.9)
    boxes = detect(footage_of(5), scripted(beyond, outside, still('giraffe', 50)))
    assert boxes.boxes[0].tolist() == [[-0.5, 20, 40, HEIGHT - 0.5]]


@pytest.mark.parametrize(
    'answer',
    [
        (np.full((1, 4), np.nan), [0.5], ['hand']),
        (np.zeros((2, 4)), [0.5], ['hand']),
        (np.ones((1, 4)), [7.0], ['hand']),
    ],
)
def test_a_plug_in_that_answers_nonsense_is_refused(answer):
    with pytest.raises(PerceptionError, match='detector: expected as many finite boxes as scores'):
        detect(footage_of(3), Detector(lambda frame: answer, ROLES))


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    made = {kind: tmp_path_factory.mktemp(kind) for kind in ('rtdetr', 'dfine', 'grounding-dino')}
    for kind, folder in made.items():
        write_detector(kind, folder)
    return made


@pytest.mark.parametrize('kind', ['rtdetr', 'dfine'])
def test_a_coco_detector_gives_its_queries_as_boxes(folders, kind, monkeypatch):
    """A query that the network is made to be sure of comes out as its class and box, in pixels of the frame."""
    detector = load_detector(str(folders[kind]), 'cpu')
    frame = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    model, forward = detector.find._model, detector.find._model.forward

    def sure(*args, **given):
        out = forward(*args, **given)
        out.logits[:], out.logits[0, 4, 1], out.logits[0, 7, 0] = -9, 3, 2
        out.pred_boxes[0, 4], out.pred_boxes[0, 7] = torch.tensor([[0.5, 0.5, 0.2, 0.5], [0.3, 0.5, 0.3, 0.5]])
        return out

    monkeypatch.setattr(model, 'forward', sure)
    boxes, scores, labels = detector.find(frame)
    assert labels == ['cup', 'person']
    assert np.allclose(boxes[0], [79.5, 24.5, 119.5, 74.5], atol=1e-3)
    assert np.allclose(scores, torch.sigmoid(torch.tensor([3.0, 2.0])))
    assert (detector.roles['cup'], detector.roles['person']) == (OBJECT, HAND)
    assert len(detect(footage_of(3), detector).role) == 2, 'the person, and what it touches'


def test_a_text_detector_gives_the_phrase_of_the_surest_word(folders, monkeypatch):
    """The word hand is in both phrases: its place in the text tells of which it is."""
    detector = load_detector(str(folders['grounding-dino']), 'cpu')
    model, forward = detector.find._model, detector.find._model.forward
    text = []

    def sure(*args, **given):
        out = forward(*args, **given)
        text.append(given['input_ids'][0].tolist())
        out.logits[:] = -9  # [CLS] hand . object in hand . [SEP]
        out.logits[0, 2, 1], out.logits[0, 3, 5], out.logits[0, 3, 1], out.logits[0, 5, 2] = 2, 3, 1, 3
        out.pred_boxes[0, 2], out.pred_boxes[0, 3] = torch.tensor([[0.5, 0.5, 0.2, 0.5], [0.25, 0.5, 0.1, 0.1]])
        return out

    monkeypatch.setattr(model, 'forward', sure)
    boxes, scores, labels = detector.find(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert text == [[2, 6, 5, 7, 8, 6, 5, 3]], 'both phrases, each with its full stop'
    assert labels == ['hand', 'object in hand'], 'a sure full stop is no word'
    assert np.allclose(boxes, [[79.5, 24.5, 119.5, 74.5], [39.5, 44.5, 59.5, 54.5]], atol=1e-3)
    assert np.allclose(scores, torch.sigmoid(torch.tensor([2.0, 3.0])))


def test_other_phrases_can_be_asked_for(folders):
    find, roles = detectors.load(str(folders['grounding-dino']), 'cpu', {'object': OBJECT, 'hand in hand': HAND})
    assert find._words == [[1], [3, 4, 5]]
    assert roles == {'object': OBJECT, 'hand in hand': HAND}


def test_missing_and_wrong_weights_are_refused(folders, tmp_path, monkeypatch):
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'hub'))
    with pytest.raises(MissingWeights, match=r'hoigen models fetch grounding-dino \(licence: Apache-2.0\)'):
        load_detector('grounding-dino', 'cpu')
    toy_sam().save_pretrained(tmp_path / 'sam')
    with pytest.raises(ModelError, match=r"expected a detector of the kinds rt_detr_v2, d_fine, .* got 'sam2_video'"):
        load_detector(str(tmp_path / 'sam'), 'cpu')
    config = json.loads((folders['rtdetr'] / 'config.json').read_text())
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'model.safetensors').write_bytes((folders['rtdetr'] / 'model.safetensors').read_bytes())
    (tmp_path / 'other' / 'config.json').write_text(json.dumps(config | {'decoder_layers': 3}))
    with pytest.raises(ModelError, match=r'keys do not fit RTDetrV2ForObjectDetection, the first: .*missing'):
        load_detector(str(tmp_path / 'other'), 'cpu')
