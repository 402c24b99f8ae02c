"""Detectors of transformers: RT-DETR v2 and D-FINE know COCO's classes, Grounding DINO what a text names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    DFineForObjectDetection,
    GroundingDinoForObjectDetection,
    RTDetrV2ForObjectDetection,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

from hoigen.conventions import HAND, OBJECT
from hoigen.models.configuration import device_of
from hoigen.models.hub import ModelError, weights_of
from hoigen.models.hub.pretrained import pretrained

Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, list[str]]]
"""A frame [H,W,3] uint8 -> boxes [N,4] left, top, right, bottom in pixels, scores [N] in [0, 1], N labels."""
COCO = {'person': HAND} | dict.fromkeys(
    (
        'backpack',
        'handbag',
        'umbrella',
        'suitcase',
        'frisbee',
        'sports ball',
        'kite',
        'baseball bat',
        'baseball glove',
        'skateboard',
        'tennis racket',
        'bottle',
        'wine glass',
        'cup',
        'fork',
        'knife',
        'spoon',
        'bowl',
        'banana',
        'apple',
        'sandwich',
        'orange',
        'broccoli',
        'carrot',
        'hot dog',
        'pizza',
        'donut',
        'cake',
        'potted plant',
        'laptop',
        'mouse',
        'remote',
        'keyboard',
        'cell phone',
        'book',
        'clock',
        'vase',
        'scissors',
        'teddy bear',
        'hair drier',
        'toothbrush',
    ),
    OBJECT,
)
"""COCO has no hand: of a person, a head camera shows the wearer's hands and arms. Objects are what a hand can take."""
PHRASES = {'hand': HAND, 'object in hand': OBJECT}
"""What Grounding DINO is asked for; in its words: lower case, each ended by a full stop."""
COCO_SCORE, TEXT_SCORE = 0.5, 0.3
"""A detection of a lower score is none."""


def load(name: str, device: str = 'auto', phrases: Mapping[str, str] = PHRASES) -> tuple[Find, Mapping[str, str]]:
    """The detector in a folder or of the catalogue, in float32, and the role of each label that it finds."""
    where, folder = device_of(device), weights_of(name)
    kind = _kind(folder)
    if kind == 'grounding-dino':
        model = pretrained(GroundingDinoForObjectDetection, folder, dtype=torch.float32).to(where)
        return _Text(model, folder, tuple(phrases)), phrases
    made = {'rt_detr_v2': RTDetrV2ForObjectDetection, 'd_fine': DFineForObjectDetection}
    if kind not in made:
        raise ModelError(
            f'{folder}: expected a detector of the kinds {", ".join([*made, "grounding-dino"])}, got {kind!r}'
        )
    return _Coco(pretrained(made[kind], folder, dtype=torch.float32).to(where), folder), COCO


def _kind(folder: Path) -> str:
    try:
        return str(json.loads((folder / 'config.json').read_text())['model_type'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f'{folder / "config.json"}: expected the configuration of a detector, got: {error}') from error


class _Coco:
    """Finds things of COCO's classes."""

    def __init__(self, model: Any, folder: Path) -> None:
        self._model, self._processor = model, RTDetrImageProcessorPil.from_pretrained(folder)

    @torch.inference_mode()
    def __call__(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
        out = self._model(**self._processor(frame, return_tensors='pt').to(self._model.device))
        (found,) = self._processor.post_process_object_detection(out, COCO_SCORE, [frame.shape[:2]])
        labels = [self._model.config.id2label[int(i)] for i in found['labels']]
        return found['boxes'].cpu().numpy() - 0.5, found['scores'].cpu().numpy(), labels


class _Text:
    """Finds what phrases name; a box is of the phrase with the surest word."""

    def __init__(self, model: Any, folder: Path, phrases: tuple[str, ...]) -> None:
        self._model, self._phrases = model, phrases
        self._processor = GroundingDinoImageProcessorPil.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._text = tokenizer(' '.join(f'{phrase}.' for phrase in phrases), return_tensors='pt').to(model.device)
        self._words = _words(self._text['input_ids'][0].tolist(), tokenizer('.', add_special_tokens=False).input_ids[0])
        if len(self._words) != len(phrases):
            raise ModelError(
                f'{folder}: expected a tokenizer that keeps {len(phrases)} phrases apart, got {len(self._words)}'
            )

    @torch.inference_mode()
    def __call__(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
        out = self._model(**self._processor(frame, return_tensors='pt').to(self._model.device), **self._text)
        words = torch.sigmoid(out.logits[0]).cpu().numpy()
        scores = np.stack([words[:, span].max(1) for span in self._words], 1)
        kept = scores.max(1) > TEXT_SCORE
        middle, half = np.split(out.pred_boxes[0].cpu().numpy()[kept], 2, axis=1)
        size = np.array(frame.shape[1::-1])
        boxes = np.concatenate([(middle - half / 2) * size, (middle + half / 2) * size], 1) - 0.5
        return boxes, scores[kept].max(1), [self._phrases[i] for i in scores[kept].argmax(1)]


def _words(tokens: list[int], stop: int) -> list[list[int]]:
    """The places of each phrase's tokens, between the first token and the full stops."""
    spans, begin = [], 1
    for end, token in enumerate(tokens):
        if token == stop:
            spans.append(list(range(begin, end)))
            begin = end + 1
    return spans
