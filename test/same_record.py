"""Equality of records, array by array."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def same_record(got: Any, want: Any, name: str = '', *, atol: float = 0) -> None:
    """Every field bit for bit, with its dtype, NaN too; also of the records within.

    atol: how far float64 may differ; poses that went through quaternions do.
    """
    assert type(got) is type(want), name
    if is_dataclass(want):
        for field in fields(want):
            same_record(getattr(got, field.name), getattr(want, field.name), f'{name}.{field.name}', atol=atol)
    elif isinstance(want, tuple):
        for t, pair in enumerate(zip(got, want, strict=True)):
            same_record(*pair, f'{name}[{t}]', atol=atol)
    elif isinstance(want, dict):
        assert got.keys() == want.keys(), name
        for key in want:
            same_record(got[key], want[key], f'{name}[{key!r}]', atol=atol)
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype, name
        np.testing.assert_allclose(got, want, rtol=0, atol=atol if got.dtype == np.float64 else 0, err_msg=name)
    elif isinstance(want, float):
        np.testing.assert_equal(got, want, name)
    else:
        assert got == want, name
