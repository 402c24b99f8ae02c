"""The Inception v3 of the Frechet inception distance (Szegedy et al. 2016, as TensorFlow's 2015 release has it).

Its published weights (pt_inception-2015-12-05-6726825d.pth of pytorch-fid, weights-inception-2015-12-05-6726825d.pth of
torch-fidelity: plain tensors) fit by name. Written here because the libraries that hold this network need torchvision
in a build of its own and read the file in a way that may run code from it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES = 2048
INPUT = 299

Step = tuple[int, int | tuple[int, int], int, int | tuple[int, int]]
"""One convolution: channels out, kernel, stride, padding."""

ROW, COLUMN = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, step: Step) -> None:
        super().__init__()
        out, kernel, stride, padding = step
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Parallel chains of convolutions and a pooling, side by side in the channels.

    chains: name -> steps; a chain of several is numbered from 1, and one with ``fork`` ends in its last two steps side
    by side. pool: 'average' (borders not counted), 'max', or 'halve' (maximum at half size); pool_out: channels of the
    convolution after it, none without.
    """

    def __init__(
        self,
        channels: int,
        chains: dict[str, list[Step]],
        pool: str,
        pool_out: int | None = None,
        fork: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.chains: list[tuple[list[str], list[str]]] = []
        self.pool = pool
        for name, steps in chains.items():
            last = len(steps) - 1
            labels = (
                [name]
                if last == 0
                else [f'{name}_{i + 1}' for i in range(last + 1)]
                if name not in fork
                else [*(f'{name}_{i + 1}' for i in range(last - 1)), f'{name}_{last}a', f'{name}_{last}b']
            )
            cut = last - 1 if name in fork else last
            width = channels
            for i, (label, step) in enumerate(zip(labels, steps, strict=True)):
                self.add_module(label, Convolution(width, step))
                width = step[0] if i < cut else width
            self.chains.append((labels[:cut], labels[cut:]))
        if pool_out is not None:
            self.branch_pool = Convolution(channels, (pool_out, 1, 1, 0))

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        for chain, ends in self.chains:
            y = x
            for name in chain:
                y = self.get_submodule(name)(y)
            parts += [self.get_submodule(name)(y) for name in ends]
        pooled = (
            F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            if self.pool == 'average'
            else F.max_pool2d(x, 3, 1, 1)
            if self.pool == 'max'
            else F.max_pool2d(x, 3, 2)
        )
        return torch.cat([*parts, self.branch_pool(pooled) if hasattr(self, 'branch_pool') else pooled], 1)


def _a(channels: int, pool: int) -> Mixed:
    return Mixed(
        channels,
        {
            'branch1x1': [(64, 1, 1, 0)],
            'branch5x5': [(48, 1, 1, 0), (64, 5, 1, 2)],
            'branch3x3dbl': [(64, 1, 1, 0), (96, 3, 1, 1), (96, 3, 1, 1)],
        },
        'average',
        pool,
    )


def _c(inner: int) -> Mixed:
    chain: list[Step] = [(inner, 1, 1, 0), *((inner, *k) for k in (COLUMN, ROW, COLUMN)), (192, *ROW)]
    return Mixed(
        768,
        {
            'branch1x1': [(192, 1, 1, 0)],
            'branch7x7': [(inner, 1, 1, 0), (inner, *ROW), (192, *COLUMN)],
            'branch7x7dbl': chain,
        },
        'average',
        192,
    )


def _e(channels: int, pool: str) -> Mixed:
    ends: list[Step] = [(384, (1, 3), 1, (0, 1)), (384, (3, 1), 1, (1, 0))]
    return Mixed(
        channels,
        {
            'branch1x1': [(320, 1, 1, 0)],
            'branch3x3': [(384, 1, 1, 0), *ends],
            'branch3x3dbl': [(448, 1, 1, 0), (384, 3, 1, 1), *ends],
        },
        pool,
        192,
        fork=('branch3x3', 'branch3x3dbl'),
    )


class Inception(nn.Module):
    """[N,3,H,W] in 0 to 255 to features [N,2048] float32; size and range as torchmetrics' distance brings them."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, (32, 3, 2, 0))
        self.Conv2d_2a_3x3 = Convolution(32, (32, 3, 1, 0))
        self.Conv2d_2b_3x3 = Convolution(32, (64, 3, 1, 1))
        self.Conv2d_3b_1x1 = Convolution(64, (80, 1, 1, 0))
        self.Conv2d_4a_3x3 = Convolution(80, (192, 3, 1, 0))
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = Mixed(
            288, {'branch3x3': [(384, 3, 2, 0)], 'branch3x3dbl': [(64, 1, 1, 0), (96, 3, 1, 1), (96, 3, 2, 0)]}, 'halve'
        )
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = _c(128), _c(160), _c(160), _c(192)
        self.Mixed_7a = Mixed(
            768,
            {
                'branch3x3': [(192, 1, 1, 0), (320, 3, 2, 0)],
                'branch7x7x3': [(192, 1, 1, 0), (192, *ROW), (192, *COLUMN), (192, 3, 2, 0)],
            },
            'halve',
        )
        self.Mixed_7b, self.Mixed_7c = _e(1280, 'average'), _e(2048, 'max')

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.interpolate(pictures.float(), (INPUT, INPUT), mode='bilinear', align_corners=False, antialias=True)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3((x - 128) / 128)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
