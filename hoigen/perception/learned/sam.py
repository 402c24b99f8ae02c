"""Masks of hands and objects by SAM 2.1, started from boxes, followed there and back, both directions fused.

An instance starts from its best box. It is followed forwards to the end, from the last place where it was surely seen
backwards to the beginning, and from the first such place forwards again to the start: every frame between is seen in
both directions, and the frame with the box is remembered in all three. (HVG-3D refines SAMURAI's masks
bidirectionally; how they are joined is ours.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hoigen.models.sam2 import FrameCache, InstanceSession, MotionAwareSam, published_config
from hoigen.models.samurai import SamuraiConfig
from hoigen.perception.records import Boxes, PerceptionError, Segmentation
from hoigen.records import Footage

AGREE = 0.5
"""Two directions whose masks overlap less than this (IoU) mean different things: the surer one counts alone."""
MOST = 255
"""Instances that a Segmentation can number."""


@dataclass(frozen=True)
class View:
    """What one direction says of an instance in one frame. logits: [h,w] float32 on the CPU; quality: its predicted
    IoU; score: SAMURAI's, of quality and motion; presence: probability that the instance is in view at all."""

    logits: Tensor
    quality: float
    score: float
    presence: float

    @property
    def weight(self) -> float:
        return max(self.score, 0.0) * self.presence

    @property
    def in_view(self) -> bool:
        return self.presence > 0.5 and bool((self.logits > 0).any())


@torch.inference_mode()
def segment_with_sam(
    footage: Footage, boxes: Boxes, model: MotionAwareSam, config: SamuraiConfig | None = None
) -> Segmentation:
    """Masks of the boxes' instances, numbered as there, at the footage's size.

    Nothing is marked where an instance is out of view, nor of one that has no box. Where instances overlap, a pixel is
    of the one that is surer of it: its probability times the weight of its views. config: none is the model's published
    one.
    """
    frames, height, width = footage.rgb.shape[:3]
    if boxes.boxes.shape[0] != frames or len(boxes.role) > MOST:
        raise PerceptionError(
            f'boxes: expected {frames} frames, as the footage has, and at most {MOST} instances, got '
            f'{boxes.boxes.shape[0]} frames and {len(boxes.role)} instances'
        )
    cache = FrameCache(model.device, frames)
    sessions = _Sessions(footage.rgb, model, cache, config or published_config(model))
    instance = np.zeros((frames, height, width), np.uint8)
    best = np.zeros((frames, height, width), np.float32)
    for i in range(len(boxes.role)):
        for t, views in _follow(footage.rgb, boxes, i, sessions).items():
            probability, weight = fuse(views, height, width)
            sure = probability * weight
            mine = (probability > 0.5) & (sure > best[t])
            instance[t][mine], best[t][mine] = i + 1, sure[mine]
    return Segmentation(boxes.role, instance)


def fuse(views: list[View], height: int, width: int) -> tuple[np.ndarray, float]:
    """Probability [H,W] float32 of an instance in a frame that one or two directions saw, and their weight in [0, 1].

    It is out of view (all 0) if the mean presence is not above one half. Masks that agree are averaged by their
    weights, SAMURAI's score times presence; of masks that do not agree the one of greater weight is taken: the one that
    goes on in a motion that is known.
    """
    if np.mean([view.presence for view in views]) <= 0.5:
        return np.zeros((height, width), np.float32), 0.0
    first, *others = sorted(views, key=lambda view: -view.weight)
    agreeing = [first, *(view for view in others if _overlap(first.logits > 0, view.logits > 0) >= AGREE)]
    weights = np.array([max(view.weight, 1e-6) for view in agreeing])
    total = sum(
        float(w) * torch.sigmoid(_resized(view.logits, height, width))
        for w, view in zip(weights / weights.sum(), agreeing, strict=True)
    )
    return np.asarray(total, np.float32), float(weights.mean())


class _Sessions:
    """Makes sessions of one video, and runs them."""

    def __init__(self, rgb: np.ndarray, model: MotionAwareSam, cache: FrameCache, config: SamuraiConfig) -> None:
        self._rgb, self._model, self._cache, self._config = rgb, model, cache, config
        self._size: Any = model.config.image_size

    def new(self) -> InstanceSession:
        return InstanceSession(self._rgb, self._size, self._cache, self._model.dtype, self._config)

    def look(self, session: InstanceSession, frame: int, reverse: bool = False) -> View:
        """What a session says of the next frame."""
        out = self._model(inference_session=session, frame_idx=frame, reverse=reverse)
        presence = torch.sigmoid(out.object_score_logits.float()).item()
        return View(out.pred_masks[0, 0].float().cpu(), session.history.quality, session.history.score, presence)

    def sure(self, view: View) -> bool:
        """The instance is in view, and its mask is good enough to be remembered."""
        return view.in_view and view.quality > self._config.memory_iou

    def run(self, anchors: dict[int, Tensor], frames: Iterable[int], reverse: bool) -> dict[int, View]:
        """From frames whose masks are given, the last of them first, through ``frames`` in their order."""
        session = self.new()
        for frame, logits in anchors.items():
            session.prompt_mask(frame, logits)
            self.look(session, frame)
        return {t: self.look(session, t, reverse) for t in frames if t not in anchors}


def _follow(rgb: np.ndarray, boxes: Boxes, i: int, sessions: _Sessions) -> dict[int, list[View]]:
    """The views of instance ``i`` by frame: there, back and there again; none without a box in which SAM sees it."""
    seen = ~np.isnan(boxes.boxes[:, i]).any(1)
    if not seen.any():
        return {}
    start = int(np.argmax(np.where(seen, boxes.score[:, i], -1)))
    session = sessions.new()
    session.prompt_box(start, boxes.boxes[start, i])
    there = {start: sessions.look(session, start)}
    origin = there[start].logits
    if not there[start].in_view:
        return {}
    there |= {t: sessions.look(session, t) for t in range(start + 1, len(rgb))}
    last = max((t for t, view in there.items() if sessions.sure(view)), default=start)
    back = sessions.run({start: origin, last: there[last].logits}, range(last - 1, -1, -1), reverse=True)
    first = min((t for t, view in back.items() if t < start and sessions.sure(view)), default=start)
    again = (
        {}
        if first == start
        else sessions.run({start: origin, first: back[first].logits}, range(first + 1, start), reverse=False)
    )
    return {t: [way[t] for way in (there, back, again) if t in way] for t in range(len(rgb))}


def _resized(logits: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(logits[None, None], (height, width), mode='bilinear', align_corners=False)[0, 0]


def _overlap(a: Tensor, b: Tensor) -> float:
    """IoU of two bool masks; 1 of two empty ones."""
    union = (a | b).sum().item()
    return (a & b).sum().item() / union if union else 1.0
