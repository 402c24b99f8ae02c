"""Generated frames and how truly they follow their scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check
from hoigen.records.labels import Labels, check_labels
from hoigen.records.provenance import Provenance

__all__ = ['Fidelity', 'GeneratedClip']


@dataclass(frozen=True, eq=False)
class Fidelity:
    """How truly T generated frames follow the scene that drove them; each [T] float32 in [0, 1].

    outline: where hand and object are. motion: how they move from the frame before. Both are found in the frames alone
    again. value: of both together. NaN where there is nothing to measure, or nothing was measured.
    """

    value: np.ndarray
    outline: np.ndarray
    motion: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Fidelity'), dict[str, int]()
        for name in ('value', 'outline', 'motion'):
            scores = getattr(self, name)
            before = len(check.faults)
            check.array(name, scores, 'float32', ('T',), sizes=sizes, finite=False)
            if len(check.faults) == before:
                outside = scores[(scores < 0) | (scores > 1)]
                check.that(not outside.size, name, 'scores in [0, 1]', outside[:3].tolist())
        check.done()

    @property
    def mean(self) -> float:
        """Of the clip: the mean of its measured frames' values; NaN if none was measured."""
        measured = self.value[~np.isnan(self.value)]
        return float(measured.mean()) if measured.size else float('nan')


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """Frames that a generator made, with the labels of the scene that drove them.

    frames: [T,H,W,3] uint8. fidelity: of each of them. cameras match the frames' size.
    """

    stamps_ns: np.ndarray
    cameras: tuple[Camera, ...]
    frames: np.ndarray
    fidelity: Fidelity
    labels: tuple[Labels, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        check, sizes = Check('GeneratedClip'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        check.array('stamps_ns', self.stamps_ns, 'int64', ('T',), sizes=sizes)
        check.array('frames', self.frames, 'uint8', ('T', 'H', 'W', 3), sizes=sizes)
        check.array('fidelity', self.fidelity.value, 'float32', ('T',), sizes=sizes, finite=False)
        check_labels(check, self.labels, sizes['T'])
        check.done()
