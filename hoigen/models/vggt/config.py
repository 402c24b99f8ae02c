"""The shape of a VGGT model, read from ``config/perception``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from hoigen.resources import find


@dataclass(frozen=True)
class DenseConfig:
    """A DPT head. features: channels of its fusion. channels: of the four scales that enter it."""

    features: int
    channels: tuple[int, int, int, int]


@dataclass(frozen=True)
class TrackConfig:
    """The track head. dense: gives features at 1 / stride of the picture's size. levels, radius: of the correlation
    window. width, depth, heads: of the transformer that updates tracks, with its virtual tracks. iterations: updates.
    """

    dense: DenseConfig
    stride: int
    levels: int
    radius: int
    width: int
    depth: int
    heads: int
    virtual: int
    iterations: int


@dataclass(frozen=True)
class VGGTConfig:
    """image: side in pixels of the square picture that the position embedding was learnt for. width, depth, heads: of
    the alternating attention; backbone_depth, backbone_heads: of the DINOv2 before it. taps: the four blocks whose
    outputs the heads read, the last of all among them. points, track: heads that a model may lack.
    """

    name: str
    image: int
    patch: int
    width: int
    depth: int
    heads: int
    backbone_depth: int
    backbone_heads: int
    registers: int
    taps: tuple[int, int, int, int]
    camera_depth: int
    camera_heads: int
    camera_iterations: int
    dense: DenseConfig
    points: bool
    track: TrackConfig | None

    def __post_init__(self) -> None:
        if self.image % self.patch or self.taps[-1] != self.depth - 1:
            raise ValueError(
                f'model {self.name}: expected pictures of whole patches and the last block last among the '
                f'taps, got {self.image} / {self.patch} and {self.taps} of {self.depth}'
            )


def read_config(name: str) -> VGGTConfig:
    """The shape of ``config/perception/NAME.yaml``."""
    return parse_config(yaml.safe_load(find(f'config/perception/{name}.yaml').read_text()))


def parse_config(fields: dict[str, Any]) -> VGGTConfig:
    """The shape that a YAML's fields describe."""
    track = fields['track']
    if track is not None:
        track = TrackConfig(**track | {'dense': _dense(track['dense'])})
    return VGGTConfig(**fields | {'taps': tuple(fields['taps']), 'dense': _dense(fields['dense']), 'track': track})


def _dense(fields: dict[str, Any]) -> DenseConfig:
    return DenseConfig(fields['features'], tuple(fields['channels']))
