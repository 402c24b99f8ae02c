"""What every record is checked with at construction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Layout:
    """What an array of a record must be; a string dimension is a size that several of the record's arrays share."""

    dtype: str
    shape: tuple[int | str, ...]
    finite: bool


def array(dtype: str, *shape: int | str, finite: bool = True) -> dict[str, Layout]:
    """The metadata by which a record's field declares its array: :meth:`Check.arrays` holds it to that."""
    return {'layout': Layout(dtype, shape, finite)}


def layouts_of(record: type) -> dict[str, Layout]:
    """The arrays that a record declares, by field."""
    return {f.name: f.metadata['layout'] for f in fields(record) if 'layout' in f.metadata}


class RecordError(ValueError):
    """A record's fields do not hold what the record says they hold."""


class Check:
    """Collects every wrong field of one record, so that one error tells all of them."""

    def __init__(self, record: str) -> None:
        self.record, self.faults = record, list[str]()

    def arrays(self, record: Any, sizes: dict[str, int], *, without: str = '') -> None:
        """Fault each array of ``record`` that is not as declared, ``without`` one of the declared dimensions."""
        for name, layout in layouts_of(type(record)).items():
            shape = tuple(n for n in layout.shape if n != without)
            self.array(name, getattr(record, name), layout.dtype, shape, finite=layout.finite, sizes=sizes)

    def array(
        self,
        name: str,
        value: Any,
        dtype: str,
        shape: tuple[int | str, ...],
        *,
        finite: bool = True,
        sizes: dict[str, int] | None = None,
    ) -> None:
        """Fault unless ``value`` is an array of ``dtype`` and ``shape``; a string dimension is a shared size."""
        want = f'{dtype} {list(shape)}'
        if not isinstance(value, np.ndarray):
            self.faults.append(f'{name}: expected {want}, got {type(value).__name__}')
            return
        sizes = {} if sizes is None else sizes
        fits = (
            value.dtype == np.dtype(dtype)
            and value.ndim == len(shape)
            and all(
                sizes.setdefault(want_n, n) == n if isinstance(want_n, str) else want_n == n
                for want_n, n in zip(shape, value.shape, strict=True)
            )
        )
        if not fits:
            known = {k: v for k, v in sizes.items() if k in shape}
            self.faults.append(
                f'{name}: expected {want}{f" with {known}" if known else ""}, got {value.dtype} {list(value.shape)}'
            )
        elif finite and value.dtype.kind == 'f' and not np.isfinite(value).all():
            bad = int((~np.isfinite(value)).sum())
            self.faults.append(f'{name}: expected finite values, got {bad} NaN or infinite of {value.size}')

    def rigid(self, name: str, value: Any) -> None:
        """Fault unless ``value`` is a float64 [4,4] rigid transform (to 1e-5)."""
        before = len(self.faults)
        self.array(name, value, 'float64', (4, 4))
        if len(self.faults) == before:
            rotation = value[:3, :3]
            ok = (
                np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
                and np.linalg.det(rotation) > 0
                and np.allclose(value[3], [0, 0, 0, 1])
            )
            self.that(ok, name, 'a rigid transform', 'a matrix that is not')

    def that(self, ok: bool, name: str, expected: str, got: object) -> None:
        if not ok:
            self.faults.append(f'{name}: expected {expected}, got {got}')

    def done(self) -> None:
        if self.faults:
            raise RecordError(f'{self.record}: ' + '; '.join(self.faults))
