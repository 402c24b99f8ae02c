"""SAM 2.1 of transformers with SAMURAI inside: motion chooses among its candidate masks and among its memories.

One session follows one instance in one direction. The hooks are the smallest that the library allows: its mask decoder
hands on only the chosen candidate, and the frames whose memories are attended to are gathered by our rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Sam2VideoModel
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceCache, Sam2VideoInferenceSession

from hoigen.models.configuration import device_of
from hoigen.models.hub import weights_of
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.samurai import PUBLISHED, PUBLISHED_LARGE, Choice, MotionSelector, SamuraiConfig, memory_frames

CORNERS = (2, 3)
"""SAM's labels of a box's two corners."""
LARGE_WIDTH = 144
"""Channels of the large backbone's first stage; 112 of base plus, 96 of the smaller ones."""


class History:
    """What one session saw, in the order in which it went through the frames. quality, score: predicted IoU of the
    last, and SAMURAI's score; of a prompted one they are the same."""

    def __init__(self, config: SamuraiConfig) -> None:
        self.config, self._selector = config, MotionSelector(config)
        self.frames, self.choices, self.presence = list[int](), list[Choice | None](), list[float]()
        self.quality = self.score = 0.0
        self._chosen: Choice | None = None

    def choose(self, masks: Tensor, ious: Tensor, present: bool) -> int:
        """Of the candidates' masks [C,h,w] (logits) with predicted qualities [C], the one to keep."""
        boxes = mask_boxes(masks > 0) if present else np.full((len(masks), 4), np.nan)
        self._chosen = self._selector.choose(boxes, ious.float().cpu().numpy())
        self.quality, self.score = self._chosen.iou, self._chosen.score
        return self._chosen.index

    def saw(self, frame: int, presence: float) -> None:
        """Frame after frame; a prompted one had no choice."""
        self.frames.append(frame)
        self.choices.append(self._chosen)
        self.presence.append(presence)
        self._chosen = None

    def memories(self, count: int, reach: int) -> list[int]:
        """The frames that the next one should remember."""
        return [self.frames[i] for i in memory_frames(self.choices, self.presence, count, reach, self.config)]


class FrameCache(Sam2VideoInferenceCache):
    """Features of every frame, made once for all instances and both directions; their positions are held once."""

    def __init__(self, device: torch.device, frames: int) -> None:
        super().__init__(device, device, frames)
        self._positions: list[Tensor] = []

    def cache_vision_features(self, frame_idx: int, features: dict[str, Any]) -> None:
        self._positions = self._positions or features['vision_pos_embeds']
        super().cache_vision_features(frame_idx, features | {'vision_pos_embeds': self._positions})


class InstanceSession(Sam2VideoInferenceSession):
    """The library's session for one instance of a video [T,H,W,3] uint8, whose frames are prepared when they are read.

    size: the model's picture is size x size.
    """

    def __init__(
        self, rgb: np.ndarray, size: int, cache: FrameCache, dtype: torch.dtype, config: SamuraiConfig
    ) -> None:
        device = cache.inference_device
        super().__init__(None, rgb.shape[1], rgb.shape[2], device, device, device, dtype)
        self.processed_frames, self.cache = dict.fromkeys(range(len(rgb))), cache  # the library counts them
        self._rgb, self._size = rgb, size
        self.history = History(config)
        self.obj_id_to_idx(0)

    def get_frame(self, frame_idx: int) -> Tensor:
        frame = torch.from_numpy(self._rgb[frame_idx]).to(self.inference_device)
        picture = F.interpolate(
            frame.permute(2, 0, 1)[None].float() / 255,
            (self._size, self._size),
            mode='bilinear',
            align_corners=False,
            antialias=True,
        )[0]
        mean, deviation = (picture.new_tensor(v)[:, None, None] for v in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
        return ((picture - mean) / deviation).to(self.dtype)

    def prompt_box(self, frame: int, box: np.ndarray) -> None:
        """Say where the instance is: a box [4] as in :class:`Boxes`."""
        scale = self._size / np.array([self.video_width, self.video_height] * 2)
        corners = torch.tensor((box + 0.5) * scale, dtype=torch.float32).reshape(1, 1, 2, 2)
        self.add_point_inputs(
            0, frame, {'point_coords': corners, 'point_labels': torch.tensor([[CORNERS]], dtype=torch.int32)}
        )
        self.obj_with_new_inputs = [0]

    def prompt_mask(self, frame: int, logits: Tensor) -> None:
        """Say where the instance is: a mask [h,w], logits."""
        self.add_mask_inputs(0, frame, (logits > 0).float()[None, None])
        self.obj_with_new_inputs = [0]


class MotionAwareSam(Sam2VideoModel):
    """Sam2VideoModel for :class:`InstanceSession`."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._history: History | None = None
        self._prompted = False
        self.mask_decoder.register_forward_hook(self._keep_chosen)

    def _run_single_frame_inference(self, *args: Any, **given: Any) -> dict[str, Any]:
        history: History = given['inference_session'].history
        self._history, self._prompted = history, given['is_init_cond_frame']
        try:
            out = super()._run_single_frame_inference(*args, **given)
        finally:
            self._history = None
        history.saw(given['frame_idx'], float(out['object_score_logits']))
        return out

    def _keep_chosen(self, decoder: Any, given: Any, out: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Of masks [1,1,C,h,w], qualities [1,1,C] and tokens [1,1,C,D] only the chosen; the library then has no
        choice."""
        masks, ious, tokens, presence = out
        if self._history is None:
            return out
        if self._prompted:
            self._history.quality = self._history.score = float(ious.max())
            return out
        kept = self._history.choose(masks[0, 0], ious[0, 0], bool(presence > 0))
        return masks[:, :, kept : kept + 1], ious[:, :, kept : kept + 1], tokens[:, :, kept : kept + 1], presence

    def _gather_memory_frame_outputs(self, inference_session: Any, obj_idx: int, *args: Any) -> list[tuple[int, Any]]:
        """Prompted frames as the library has them; of the others those that SAMURAI trusts, the newest last."""
        given = super()._gather_memory_frame_outputs(inference_session, obj_idx, *args)
        reach = self.config.max_object_pointers_in_encoder - 1
        frames = inference_session.history.memories(self.num_maskmem - 1, reach)
        tracked = inference_session.output_dict_per_obj[obj_idx]['non_cond_frame_outputs']
        return [(age, out) for age, out in given if age == 0] + [
            (len(frames) - i, tracked.get(frame)) for i, frame in enumerate(frames)
        ]


def published_config(model: MotionAwareSam) -> SamuraiConfig:
    """SAMURAI's own thresholds for a SAM 2.1 of this size."""
    large = model.config.vision_config.backbone_config.hidden_size >= LARGE_WIDTH
    return PUBLISHED_LARGE if large else PUBLISHED


def load_sam(name: str = 'sam2', device: str = 'auto') -> MotionAwareSam:
    """SAM 2.1 (tiny to large) of a folder or of the catalogue: bfloat16 on a GPU, float32 on the CPU."""
    where = device_of(device)
    dtype = torch.float32 if where.type == 'cpu' else torch.bfloat16
    return pretrained(MotionAwareSam, weights_of(name), dtype=dtype).to(where)


def mask_boxes(masks: Tensor) -> np.ndarray:
    """[C,4] float64 left, top, right, bottom borders of bool masks [C,h,w], in their pixels; NaN without any."""
    columns, rows = masks.any(1).cpu().numpy(), masks.any(2).cpu().numpy()
    boxes = np.full((len(masks), 4), np.nan)
    for box, u, v in zip(boxes, columns, rows, strict=True):
        if u.any():
            (left, *_, right), (top, *_, bottom) = (np.flatnonzero(a)[[0, -1]] for a in (u, v))
            box[:] = left, top, right + 1, bottom + 1
    return boxes
