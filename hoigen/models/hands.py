"""MediaPipe's hand networks: where palms are in an image, and 21 keypoints of the hand in a crop.

The networks of MediaPipe 0.10.21 (`palm_detection_full`, `hand_landmark_full`), layer for layer. Their weights,
published under Apache-2.0, lie in ``weights/hands``, whose README says where they come from.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hoigen.models.tensors import load_strictly

WEIGHTS = Path(__file__).parent / 'weights' / 'hands'
PALM_SIZE, LANDMARK_SIZE = 192, 224
"""Width and height of what the networks read, pixels."""
KEYPOINTS = 21
PALM_VALUES = 18
"""Of a palm: its box's centre, width and height, then seven keypoints, in pixels about its anchor."""


class _Same(nn.Conv2d):
    """A convolution whose output has 1/stride of the input's even size, as TensorFlow pads: more at the far side."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, size, stride, groups=groups, bias=bias)
        near, far = (size - stride) // 2, (size - stride + 1) // 2
        self._pads = (near, far, near, far)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self._pads) if any(self._pads) else x)


class _Residual(nn.Module):
    """A depthwise and a pointwise convolution beside a shortcut, which is pooled and padded where the sizes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = _Same(inputs, inputs, 5, stride, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.rise = nn.PReLU(outputs)
        self._stride, self._more = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.max_pool2d(x, 2) if self._stride == 2 else x
        if self._more:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self._more))
        return self.rise(shortcut + self.pointwise(self.depthwise(x)))


def _stage(inputs: int, outputs: int, more: int = 4) -> nn.Sequential:
    return nn.Sequential(_Residual(inputs, outputs, 2), *(_Residual(outputs, outputs) for _ in range(more)))


class _Rise(nn.Module):
    """Twice the size, other channels, and what the way down had there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pointwise, self.rise = nn.Conv2d(inputs, outputs, 1), nn.PReLU(outputs)
        self.blocks = nn.Sequential(*(_Residual(outputs, outputs) for _ in range(2)))

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode='bilinear')
        return self.blocks(beside + self.rise(self.pointwise(x)))


class _Head(nn.Module):
    """Scores and values of the anchors of one size."""

    def __init__(self, inputs: int, anchors: int) -> None:
        super().__init__()
        self.scores, self.values = nn.Conv2d(inputs, anchors, 1), nn.Conv2d(inputs, anchors * PALM_VALUES, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores, values = (layer(x).permute(0, 2, 3, 1).flatten(1) for layer in (self.scores, self.values))
        return scores, values.unflatten(1, (-1, PALM_VALUES))


class PalmNetwork(nn.Module):
    """Images [B,3,192,192] in [0, 1] -> scores [B,2016] as logits, values [B,2016,18], in the order of the anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.rise = _Same(3, 32, 5, 2), nn.PReLU(32)
        self.stage1 = nn.Sequential(*(_Residual(32, 32) for _ in range(4)))
        self.stage2, self.stage3 = _stage(32, 64), _stage(64, 128)
        self.stage4, self.stage5 = _stage(128, 256), _stage(256, 256)
        self.rise4, self.large = _Rise(256, 256), _Head(256, 6)
        self.rise3, self.small = _Rise(256, 128), _Head(128, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        third = self.stage3(self.stage2(self.stage1(self.rise(self.stem(images)))))
        fourth = self.stage4(third)
        large = self.rise4(self.stage5(fourth), fourth)
        small = self.rise3(large, third)
        (few, few_values), (many, many_values) = self.large(large), self.small(small)
        return torch.cat([many, few], 1), torch.cat([many_values, few_values], 1)


class _Inverted(nn.Module):
    """Wider, a depthwise convolution, narrower, beside a shortcut where the sizes are equal."""

    def __init__(self, inputs: int, wide: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, wide, 1) if wide != inputs else None
        self.depthwise = _Same(wide, wide, size, stride, groups=wide)
        self.narrow = nn.Conv2d(wide, outputs, 1)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.widen is None else F.relu6(self.widen(x))
        out = self.narrow(F.relu6(self.depthwise(wide)))
        return out + x if self._shortcut else out


Network = TypeVar('Network', PalmNetwork, 'LandmarkNetwork')

BLOCKS = (
    (24, 24, 16, 3, 1), (16, 64, 24, 3, 2), (24, 144, 24, 3, 1), (24, 144, 40, 5, 2), (40, 240, 40, 5, 1),
    (40, 240, 80, 3, 2), *[(80, 480, 80, 3, 1)] * 2, (80, 480, 112, 5, 1), *[(112, 672, 112, 5, 1)] * 2,
    (112, 672, 192, 5, 2), *[(192, 1152, 192, 5, 1)] * 3,
)  # fmt: skip
"""Of the keypoint network: channels in, wide and out, size and stride of the depthwise convolution."""


class LandmarkNetwork(nn.Module):
    """Crops [B,3,224,224] in [0, 1] of a hand, wrist below ->

    keypoints [B,21,3], pixels of the crop, depth about the wrist in the same unit; presence [B] and right [B], each in
    [0, 1], that there is a hand and that it is a right one; world [B,21,3], metres about the hand's centre.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Same(3, 24, 3, 2)
        self.blocks = nn.Sequential(*(_Inverted(*block) for block in BLOCKS))
        self.widen, self.depthwise = nn.Conv2d(192, 1152, 1), _Same(1152, 1152, 3, groups=1152)
        self.right, self.presence = nn.Linear(1152, 1), nn.Linear(1152, 1)
        self.keypoints, self.world = nn.Linear(1152, 3 * KEYPOINTS), nn.Linear(1152, 3 * KEYPOINTS)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.blocks(F.relu6(self.stem(crops)))
        x = F.relu6(self.depthwise(F.relu6(self.widen(x)))).mean((2, 3))
        keypoints, world = (layer(x).unflatten(1, (KEYPOINTS, 3)) for layer in (self.keypoints, self.world))
        return keypoints, self.presence(x).sigmoid()[:, 0], self.right(x).sigmoid()[:, 0], world


FILES = (WEIGHTS / 'palms.safetensors', WEIGHTS / 'landmarks.safetensors')


@cache
def hand_networks() -> tuple[PalmNetwork, LandmarkNetwork]:
    """Both networks with their weights, in evaluation mode, on the CPU."""
    return _loaded(PalmNetwork(), FILES[0]), _loaded(LandmarkNetwork(), FILES[1])


def _loaded(network: Network, file: Path) -> Network:
    load_strictly(network, file)
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # half the time on a CPU
