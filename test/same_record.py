"""Equality of records, array by array."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def same_record(got: Any, want: Any, name: str = '') -> None:
    """Every field bit for bit, with its dtype, NaN too; also of the records within."""
    assert type(got) is type(want), name
    if is_dataclass(want):
        for field in fields(want):
            same_record(getattr(got, field.name), getattr(want, field.name), f'{name}.{field.name}')
    elif isinstance(want, tuple):
        for t, pair in enumerate(zip(got, want, strict=True)):
            same_record(*pair, f'{name}[{t}]')
    elif isinstance(want, dict):
        assert got.keys() == want.keys(), name
        for key in want:
            same_record(got[key], want[key], f'{name}[{key!r}]')
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype, name
        np.testing.assert_array_equal(got, want, err_msg=name)
    else:
        assert got == want, name
