"""Arrays as text inside a page: exact or quantised, small, and quick to unpack in a browser."""

from __future__ import annotations

import zlib
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np

UNKNOWN = 0
"""The code of NaN."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """Real numbers as codes: ``low + (code - 1) * step``, and code 0 is NaN. codes: uint16 of any shape."""

    codes: np.ndarray
    low: float
    step: float

    def values(self) -> np.ndarray:
        """float64 of the same shape."""
        return np.where(self.codes == UNKNOWN, np.nan, self.low + (self.codes.astype(float) - 1) * self.step)


def quantise(values: np.ndarray, levels: int) -> Quantised:
    """Real numbers (NaN and infinities unknown) in ``levels`` equal steps, at most 65,535, over their own range."""
    known = np.isfinite(values)
    if not known.any():
        return Quantised(np.zeros(values.shape, np.uint16), 0.0, 1.0)
    low, high = float(values[known].min()), float(values[known].max())
    step = (high - low) / (levels - 1) or 1.0
    codes = np.where(known, 1 + np.rint((np.where(known, values, low) - low) / step), UNKNOWN)
    return Quantised(codes.astype(np.uint16), low, step)


def pack(values: np.ndarray | Quantised) -> dict[str, Any]:
    """JSON of an array of uint8 or uint16, or of a :class:`Quantised` one; ``unpack`` of ``page/data.js`` reads it.

    Differences along the last axis, signs in the lowest bit, low bytes before high bytes, deflated.
    """
    more = {}
    if isinstance(values, Quantised):
        more, values = {'low': values.low, 'step': values.step}, values.codes
    signed = np.dtype(f'i{values.itemsize}')
    steps = values.copy()
    steps[..., 1:] -= values[..., :-1]
    steps = steps.view(signed)
    folded = ((steps << 1) ^ (steps >> (8 * values.itemsize - 1))).astype(values.dtype)
    planes = folded.astype(f'<u{values.itemsize}').reshape(-1, 1).view(np.uint8).T
    text = b64encode(zlib.compress(np.ascontiguousarray(planes).tobytes(), 6)).decode()
    return {'shape': list(values.shape), 'bytes': values.itemsize, 'data': text, **more}
