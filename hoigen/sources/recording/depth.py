"""How the values of a depth map become metres: one rule for folders, bags and single depth maps."""

from __future__ import annotations

import numpy as np

from hoigen.sources.recording.options import NotRead

INTEGER_M, TUM_M = 0.001, 1 / 5000
"""Metres for each step of integer depth, as most write it and as TUM's RGB-D data sets do."""
NEAREST_M, FARTHEST_M = 0.03, 30.0
"""Depths in scenes of hands and objects. A map whose farthest tenth is nearer, or whose nearest tenth is farther, is in
another unit."""
UNITS = {
    1.0: 'metres',
    0.001: 'millimetres',
    0.01: 'centimetres',
    0.0001: 'tenths of a millimetre',
    1e-6: 'micrometres',
}
"""Units in which depth is written, the likelier first."""
USUAL_M = (0.1, 20.0)
"""Where the median depth of a scene lies, of an indoor one."""


class DepthUnit:
    """The unit of a recording's depth maps: ``asked`` metres for each step where that is given, for floats and integers
    alike; else floats are metres and integers steps of ``integer_m``.

    says: in which unit the maps are that were read so far.
    """

    def __init__(self, asked: float | None = None, integer_m: float = INTEGER_M) -> None:
        self._asked, self._integer_m = asked, integer_m
        self.says = 'depth'

    def metres(self, values: np.ndarray, name: str) -> np.ndarray:
        """[H,W] float32 metres, NaN unknown, of integers [H,W] of 16 or more bits or floats; 0 is unknown.

        NotRead where values are < 0, or where next to none of them can be metres in a scene of hands and objects.
        """
        kind = values.dtype.kind
        if values.ndim != 2 or kind not in 'uif' or values.dtype.itemsize == 1:
            raise NotRead(
                f'{name}: expected depth [H,W] of 16 bit integers or floats, got {values.dtype} {list(values.shape)}'
            )
        unit_m = self._asked or (1.0 if kind == 'f' else self._integer_m)
        with np.errstate(over='ignore'):  # a float64 beyond float32 is as unknown as infinity
            known = values.astype(np.float32)
        known[~np.isfinite(known) | (known == 0)] = np.nan
        behind = int((known < 0).sum())
        if behind:
            raise NotRead(f'{name}: expected depth > 0 m, 0 or NaN where unknown, got {behind} values < 0')
        _refuse_other_unit(known, name, unit_m)
        self.says = (
            ('float' if kind == 'f' else 'integer')
            + ' depth in '
            + ('metres' if unit_m == 1 else f'steps of {unit_m * 1000:g} mm')
        )
        return np.multiply(known, unit_m, dtype=np.float64).astype(np.float32)  # 800 steps of 1 mm are 0.8 m


def _refuse_other_unit(known: np.ndarray, name: str, unit_m: float) -> None:
    values = known[np.isfinite(known)]
    if not len(values):
        return
    near, median, far = (float(value) for value in np.quantile(values, (0.1, 0.5, 0.9)))
    if near * unit_m <= FARTHEST_M and far * unit_m >= NEAREST_M:
        return
    likely = next((unit for unit in UNITS if USUAL_M[0] <= median * unit <= USUAL_M[1]), None)
    advice = (
        'say with --depth-unit-m how many metres a step of it is'
        if likely is None
        else f'this looks like {UNITS[likely]}; say --depth-unit-m {likely:g}'
    )
    raise NotRead(
        f'{name}: expected depth of {NEAREST_M:g} to {FARTHEST_M:g} m, got the median {median:.4g} in steps '
        f'of {unit_m:g} m: {advice}'
    )
