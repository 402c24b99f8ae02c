"""Measures as tables: one row per measure, one column per method, every mean with its confidence interval and N."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hoigen.metrics.measures import higher_is_better
from hoigen.metrics.statistics import Summary

if TYPE_CHECKING:
    from hoigen.metrics.distribution import Distribution

Rows = list[list[str]]
"""A table; the first row is its header."""


def digits(measure: str) -> int:
    """Decimals that mean something in a measure's values."""
    return 2 if measure.split()[0] in ('PSNR', 'L1', 'contact') else 3


def said(summary: Summary, decimals: int, sign: str = '') -> str:
    """A mean and its 95 % interval, '25.87 [24.10, 27.61]'."""
    return f'{summary.mean:{sign}.{decimals}f} [{summary.low:{sign}.{decimals}f}, {summary.high:{sign}.{decimals}f}]'


def measure_table(summaries: dict[str, dict[str, Summary]], weights: dict[str, str] | None = None) -> Rows:
    """Methods' summaries by measure, all over the same clips; the arrow says which way is better.

    weights: SHA-256 of learned measures' networks, put beside the measure's name.
    """
    first = next(iter(summaries.values()))
    rows = [['mean [95 % interval]', *summaries, 'N']]
    for measure in first:
        arrow = '↑' if higher_is_better(measure) else '↓'
        sha256 = (weights or {}).get(measure.split()[0].lower())
        label = f'{measure} {arrow}' + (f' (weights {sha256})' if sha256 else '')
        rows.append([label, *(said(of[measure], digits(measure)) for of in summaries.values()), str(first[measure].n)])
    return rows


def distribution_table(distributions: dict[str, Sequence[Distribution]]) -> Rows:
    """Distances of each method to the truth, with N and the hash of the network's weights; [] without any."""
    rows = [
        [
            d.name,
            d.region,
            method,
            f'{d.frechet:.3f}',
            f'{d.kernel:.5f}',
            f'{d.n} of {d.clips} clips',
            d.weights,
            d.note,
        ]
        for method, of in distributions.items()
        for d in of
    ]
    header = ['distance', 'region', 'method', 'Frechet ↓', 'kernel, unbiased ↓', 'N', 'weights, SHA-256', 'note']
    return [header, *sorted(rows)] if rows else []


def markdown(rows: Rows) -> str:
    """The table in Markdown."""
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join([lines[0], '|---' * len(rows[0]) + '|', *lines[1:]]) + '\n'
