"""Published models that label pictures: depth (Depth Anything), likeness (DINOv2), orientation (Orient Anything)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Dinov2Config, Dinov2Model
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.depth_anything.modeling_depth_anything import DepthAnythingForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from hoigen.geometry.orientation import Orientation
from hoigen.models.configuration import device_of
from hoigen.models.hub import ModelError, weights_of
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.hub.published import assign, read_checkpoint
from hoigen.models.hub.store import Source

ORIENT_ANYTHING = Source('orient-anything', 'CC-BY-4.0')
PUBLISHED = 'croplargeEX2'
"""The folder of its published repository that holds the best of its networks."""
HEAD = 64
"""Width of an attention head in every DINOv2."""
PATCH = 14
AZIMUTHS, ELEVATIONS, CONFIDENCES = 360, 180, 2
"""Orient Anything's outputs: a class for each degree, between them as many turns in the picture as there are left."""
SIDE = 224
"""Side of the picture that Orient Anything sees, pixels."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FARTHEST = 50.0
"""Relative depth of what is farthest, in units of the nearest."""


class DepthModel:
    """Depth of one picture. metric: its values are metres; otherwise only their order and ratios are the model's."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._model = pretrained(DepthAnythingForDepthEstimation, folder, dtype=torch.float32).to(device)
        self._processor = DPTImageProcessorPil.from_pretrained(folder)
        self.metric = self._model.config.depth_estimation_type == 'metric'

    @torch.inference_mode()
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """[H,W] float32 > 0 of a picture [H,W,3] uint8.

        A relative model tells disparity up to scale and shift: it is stretched between 1 for the nearest and
        1 / FARTHEST, and what is given is its inverse.
        """
        inputs = self._processor(rgb, return_tensors='pt').to(self._model.device)
        told = self._model(**inputs).predicted_depth[None].float()
        told = nn.functional.interpolate(told, rgb.shape[:2], mode='bicubic', align_corners=False)[0, 0].cpu().numpy()
        if self.metric:
            return np.maximum(told, 1e-3).astype(np.float32)
        low, high = float(told.min()), float(told.max())
        share = (told - low) / max(high - low, 1e-9)
        return (1 / (1 / FARTHEST + (1 - 1 / FARTHEST) * share)).astype(np.float32)


def load_depth(name: str = 'depth-anything', device: str = 'auto') -> DepthModel:
    """Depth Anything, relative or metric, of the catalogue or a folder."""
    return DepthModel(weights_of(name), device_of(device))


def load_likeness(name: str = 'dinov2', device: str = 'auto') -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """DINOv2 of the catalogue or a folder: pictures [S,S,3] uint8 -> unit vectors [n,D] float32."""
    folder = weights_of(name)
    model = pretrained(Dinov2Model, folder, dtype=torch.float32).to(device_of(device))
    processor = BitImageProcessorPil.from_pretrained(folder)

    @torch.inference_mode()
    def likeness(pictures: Sequence[np.ndarray]) -> np.ndarray:
        inputs = processor(list(pictures), return_tensors='pt').to(model.device)
        vectors = model(**inputs).last_hidden_state[:, 0]
        return nn.functional.normalize(vectors, dim=1).cpu().numpy()

    return likeness


class OrientAnything(nn.Module):
    """DINOv2 and a head of two layers with batch norm that tells three angles, each as classes of a degree.

    Wang et al., "Orient Anything", ICML 2025. The names of its parts are those of the published tensors.
    """

    def __init__(self, config: Dinov2Config, outputs: int) -> None:
        super().__init__()
        self.dinov2 = Dinov2Model(config)
        self.down_sampler = _Head(config.hidden_size, outputs)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.down_sampler(self.dinov2(pixels).last_hidden_state[:, 0])

    @torch.inference_mode()
    def tell(self, rgb: np.ndarray) -> tuple[Orientation, float]:
        """How the object in a picture [S,S,3] uint8 is turned, alone on black, and how sure that is, [0, 1].

        The published angles are degrees: the viewer's azimuth and elevation + 90 as ours, and how far the picture is
        turned counter-clockwise, + half their number.
        """
        picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
        picture = nn.functional.interpolate(picture, (SIDE, SIDE), mode='bicubic', antialias=True).clamp(0, 1)
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        out = self(((picture - mean) / deviation).to(next(self.parameters()).device))[0].float().cpu()
        turns = len(out) - AZIMUTHS - ELEVATIONS - CONFIDENCES
        azimuth, elevation, turn, sure = out.split([AZIMUTHS, ELEVATIONS, turns, CONFIDENCES])
        found = np.radians([int(azimuth.argmax()), int(elevation.argmax()) - 90, turns // 2 - int(turn.argmax())])
        return (
            Orientation(float((found[0] + np.pi) % (2 * np.pi) - np.pi), float(found[1]), float(found[2])),
            float(sure.softmax(0)[0]),
        )


class _Head(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.net1 = nn.Sequential(nn.Linear(width, outputs), nn.BatchNorm1d(outputs), nn.ReLU())
        self.net2 = nn.Sequential(nn.Linear(outputs, outputs), nn.BatchNorm1d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        return self.net2(self.net1(features))


def blank_orient_anything(folder: Path) -> OrientAnything:
    """An empty network of the size that the tensors in ``folder`` tell."""
    shapes = read_checkpoint(folder, ORIENT_ANYTHING).shapes
    try:
        width = shapes['dinov2.embeddings.cls_token'][-1]
        places = shapes['dinov2.embeddings.position_embeddings'][1] - 1
        outputs = shapes['down_sampler.net2.0.weight'][0]
    except (KeyError, IndexError) as error:
        raise ModelError(f'{folder}: expected weights of Orient Anything, missing {error}') from error
    if outputs <= AZIMUTHS + ELEVATIONS + CONFIDENCES:
        raise ModelError(f'{folder}: expected more than {AZIMUTHS + ELEVATIONS + CONFIDENCES} outputs, got {outputs}')
    layers = len({key.split('.')[3] for key in shapes if key.startswith('dinov2.encoder.layer.')})
    return OrientAnything(
        Dinov2Config(
            hidden_size=width,
            num_hidden_layers=layers,
            patch_size=PATCH,
            num_attention_heads=max(1, width // HEAD),
            image_size=PATCH * round(places**0.5),
        ),
        outputs,
    )


def load_orienter(name: str = ORIENT_ANYTHING.name, device: str = 'auto') -> OrientAnything:
    """Orient Anything of the catalogue or a folder with model.safetensors."""
    folder = weights_of(name)
    folder = folder / PUBLISHED if (folder / PUBLISHED).is_dir() else folder
    with torch.device('meta'):
        model = blank_orient_anything(folder)
    assign(model, read_checkpoint(folder, ORIENT_ANYTHING), torch.float32)
    return model.eval().requires_grad_(False).to(device_of(device))
