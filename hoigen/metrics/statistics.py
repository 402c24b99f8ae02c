"""Means over clips with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """A mean over N clips and its 95 % confidence interval [low, high]; NaN where N is too small for it."""

    mean: float
    low: float
    high: float
    n: int


def summarise(rows: Sequence[dict[str, float]], seed: int = 0) -> dict[str, Summary]:
    """Each measure's summary over the clips' rows, by percentile bootstrap over clips; NaN values do not count."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _summary(np.array([row.get(name, np.nan) for row in rows]), seed) for name in names}


def differences(rows: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Clip by clip what ``rows`` have more than ``others``: clips differ more than methods, so compare in pairs."""
    return [{name: row[name] - other[name] for name in row} for row, other in zip(rows, others, strict=True)]


def _summary(values: np.ndarray, seed: int) -> Summary:
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Summary(np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    if len(values) == 1 or not np.isfinite(values).all():
        return Summary(mean, np.nan, np.nan, len(values))
    interval = bootstrap(
        (values,),
        np.mean,
        confidence_level=0.95,
        n_resamples=RESAMPLES,
        method='percentile',
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Summary(mean, float(interval.low), float(interval.high), len(values))
