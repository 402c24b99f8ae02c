"""Summaries: mean, N and a confidence interval that covers the mean as often as it says."""

import numpy as np
import pytest

from hoigen.metrics.statistics import differences, summarise


def test_mean_and_n_leave_out_what_a_clip_lacks():
    rows = [{'a': 1.0, 'b': 5.0}, {'a': 3.0, 'b': float('nan')}, {'a': 5.0}]
    summary = summarise(rows)
    assert (summary['a'].mean, summary['a'].n) == (3, 3)
    assert summary['a'].low < 3 < summary['a'].high
    assert (summary['b'].mean, summary['b'].n) == (5, 1)
    assert np.isnan(summary['b'].low)


def test_the_interval_covers_the_true_mean_nineteen_times_of_twenty():
    draws = np.random.default_rng(0).normal(2.0, 1.0, (200, 36))
    summaries = [summarise([{'a': x} for x in draw])['a'] for draw in draws]
    assert 0.90 < np.mean([s.low <= 2.0 <= s.high for s in summaries]) < 0.98


def test_the_same_rows_have_the_same_interval():
    rows = [{'a': float(x)} for x in range(9)]
    assert summarise(rows) == summarise(rows)
    assert summarise(rows)['a'].low != summarise(rows, seed=1)['a'].low


def test_differences_are_clip_by_clip():
    """A constant advantage over clips that differ widely has an interval of no width."""
    rows, others = [{'a': x + 1.0} for x in (0, 50, 200)], [{'a': float(x)} for x in (0, 50, 200)]
    summary = summarise(differences(rows, others))['a']
    assert (summary.mean, summary.low, summary.high) == pytest.approx((1, 1, 1))
