"""Measures by trained networks, each only where the user gives its weights; the SHA-256 stands beside every value.

Nothing is downloaded. Weights are read as plain tensors (safetensors, or ``torch.load(weights_only=True)``), never as
code. The usual network of FVD, I3D as TorchScript, is code and is therefore not read; FVD here is over VideoMAE's
features, as Ge et al., "On the content bias in Frechet video distance", CVPR 2024 recommend, and is named so: its
values are not to be compared with those over I3D. (Plain tensors of I3D are published too, i3d_pretrained_400.pt, but
the public networks for them differ in a constant, and so would the distance.) Regions: networks see whole pictures, so
for the hand-object region all outside it is black in both videos, as the paper seems to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hoigen.metrics.distribution import Distribution, frechet_distance, kernel_distance
from hoigen.metrics.measures import FULL, HAND_OBJECT
from hoigen.metrics.options import LearnedConfig
from hoigen.models.hub import ModelError
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.hub.published import read_tensors
from hoigen.models.inception import Inception
from hoigen.models.lpips import Lpips
from hoigen.models.tensors import load_network
from hoigen.provenance import sha256_of

Features = Callable[[np.ndarray], Tensor]
"""[T,H,W,3] uint8 to [n,D]: n = T for networks of pictures, 1 for networks of videos."""

NAMES = {'clip': 'C-FID (CLIP)', 'fid': 'FID (Inception v3)', 'fvd': 'FVD (VideoMAE)'}


@dataclass(frozen=True, eq=False)
class Comparison:
    """One generated video against its truth: row, measure -> value; features, (network, region) -> (made, truth)."""

    row: dict[str, float]
    features: dict[tuple[str, str], tuple[Tensor, Tensor]]


class LearnedMeasures:
    """The measures whose weights are given; ``weights`` maps each of LearnedConfig's names to its SHA-256."""

    def __init__(self, config: LearnedConfig) -> None:
        given = {field.name: getattr(config, field.name) for field in fields(config)}
        given = {name: Path(path) for name, path in given.items() if path is not None}
        missing = [
            f'learned.{name}: expected a {kind} of weights, found none at {path}'
            for name, path in given.items()
            for kind in ('folder' if name in FOLDERS else 'file',)
            if not (path.is_dir() if name in FOLDERS else path.is_file())
        ]
        if missing:
            raise ModelError('; '.join(missing))
        self._lpips = load_network(Lpips(), read_tensors(given['lpips']), given['lpips']) if 'lpips' in given else None
        self._networks = {name: NETWORKS[name](path) for name, path in given.items() if name in NETWORKS}
        self.weights = {
            name: sha256_of(path / 'model.safetensors' if name in FOLDERS else path) for name, path in given.items()
        }
        self._seen: dict[tuple[str, bytes], Tensor] = {}

    @torch.no_grad()
    def compare(self, frames: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> Comparison:
        """A generated video [T,H,W,3] uint8 with its truth, full and where mask [T,H,W] is a hand or an object."""
        row: dict[str, float] = {}
        features = {}
        for region, inside in ((FULL, None), (HAND_OBJECT, (mask > 0)[..., None])):
            made, true = (video if inside is None else video * inside for video in (frames, truth))
            if self._lpips is not None:
                row[f'LPIPS {region}'] = float(self._lpips(made, true).mean())
            for name, network in self._networks.items():
                features[name, region] = network(made), self._truth(name, true)
            if 'clip' in self._networks:
                row[f'CLIP {region}'] = float(torch.cosine_similarity(*features['clip', region]).mean())
        return Comparison(row, features)

    def distributions(self, comparisons: Sequence[Comparison]) -> list[Distribution]:
        """Distances between all generated and all true videos, of one length; none for fewer than two samples."""
        found = []
        for name, region in comparisons[0].features:
            made, truth = (torch.cat([c.features[name, region][side] for c in comparisons]) for side in (0, 1))
            clip = torch.arange(len(comparisons)).repeat_interleave(len(truth) // len(comparisons))
            if len(made) >= 2:
                found.append(
                    Distribution(
                        NAMES[name],
                        region,
                        frechet_distance(made, truth),
                        kernel_distance(made, truth, clip),
                        len(truth),
                        len(comparisons),
                        truth.shape[1],
                        self.weights[name],
                    )
                )
        return found

    def _truth(self, name: str, video: np.ndarray) -> Tensor:
        """Features of a true video, computed once however many methods are compared with it."""
        key = name, hashlib.sha256(np.ascontiguousarray(video).data).digest()
        if key not in self._seen:
            self._seen[key] = self._networks[name](video)
        return self._seen[key]


def inception_features(path: Path) -> Features:
    """Frames through the FID's Inception v3."""
    network = load_network(Inception(), read_tensors(path), path, unused=('fc.',))
    return lambda frames: network(_pictures(frames)).cpu()


def clip_features(folder: Path) -> Callable[[Iterable[np.ndarray]], Tensor]:
    """Frames through CLIP's picture encoder, projected."""
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    network, prepare = _with_processor(folder, CLIPVisionModelWithProjection, CLIPImageProcessorPil)
    return lambda frames: network(**prepare(list(frames), return_tensors='pt')).image_embeds


def videomae_features(folder: Path) -> Features:
    """A video, thinned to the network's number of frames, through VideoMAE: the mean of its last tokens."""
    from transformers import VideoMAEImageProcessorPil, VideoMAEModel

    network, prepare = _with_processor(folder, VideoMAEModel, VideoMAEImageProcessorPil)

    def features(frames: np.ndarray) -> Tensor:
        chosen = np.linspace(0, len(frames) - 1, network.config.num_frames).round().astype(int)
        return network(**prepare(list(frames[chosen]), return_tensors='pt')).last_hidden_state.mean(1)

    return features


def _with_processor(folder: Path, network: Any, processor: Any) -> tuple[Any, Any]:
    """A network of transformers and its image processor from a local folder."""
    wanted = ('config.json', 'model.safetensors', 'preprocessor_config.json')
    absent = [name for name in wanted if not (folder / name).is_file()]
    if absent:
        raise ModelError(f'{folder}: expected {list(wanted)}, missing {absent}')
    return pretrained(network, folder, whole=False), processor.from_pretrained(folder, local_files_only=True)


def _pictures(frames: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)


NETWORKS: dict[str, Callable[[Path], Features]] = {
    'clip': clip_features,
    'fid': inception_features,
    'fvd': videomae_features,
}
FOLDERS = ('clip', 'fvd')
