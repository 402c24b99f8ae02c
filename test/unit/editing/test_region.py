"""The region that a model works on: it holds what is painted, and nothing outside comes back changed."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hoigen.editing.region import LEAST, Region, region_of

HEIGHT, WIDTH = 60, 90


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """One rectangle somewhere in a picture, down to a single pixel."""
    top, left = draw(st.integers(0, HEIGHT - 1)), draw(st.integers(0, WIDTH - 1))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : draw(st.integers(top + 1, HEIGHT)), left : draw(st.integers(left + 1, WIDTH))] = True
    return mask


def noise(seed: int, *size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@settings(max_examples=100, deadline=None)
@given(masks(), st.sampled_from([32, 64]))
def test_it_holds_the_mask_and_stays_in_the_frame_where_it_fits(mask: np.ndarray, size: int) -> None:
    """With room on each side unless the border is there."""
    region = region_of(mask, size)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    for first, found, length in ((region.top, rows, HEIGHT), (region.left, columns, WIDTH)):
        assert first <= found[0]
        assert found[-1] < first + region.side
        if region.side <= length:
            assert first >= 0
            assert first + region.side <= length
        elif first > 0 or first + region.side < length:
            raise AssertionError('a region larger than the frame leaves some of it out')
    assert region.side >= LEAST
    assert region.size == size


@settings(max_examples=60, deadline=None)
@given(st.integers(-30, 50), st.integers(-30, 80), st.integers(40, 70), st.integers(0, 2**31 - 1))
def test_cut_and_put_back_is_nothing_done(top: int, left: int, side: int, seed: int) -> None:
    """At the frame's own scale, whatever the share of each pixel and wherever the region reaches over the border."""
    frame = noise(seed, HEIGHT, WIDTH)
    share = np.random.default_rng(seed).random((HEIGHT, WIDTH)).astype(np.float32)
    region = Region(left, top, side, side)
    np.testing.assert_array_equal(region.paste(frame, region.cut(frame), share), frame)


@settings(max_examples=60, deadline=None)
@given(masks(), st.sampled_from([16, 64, 200]), st.integers(0, 2**31 - 1))
def test_only_where_the_share_says_does_anything_change(mask: np.ndarray, size: int, seed: int) -> None:
    """At any scale: what has no share stays bit for bit."""
    frame, painted = noise(seed, HEIGHT, WIDTH), noise(seed + 1, size, size)
    after = region_of(mask, size).paste(frame, painted, mask.astype(np.float32))
    np.testing.assert_array_equal(after[~mask], frame[~mask])


@settings(max_examples=60, deadline=None)
@given(masks(), st.sampled_from([16, 64, 200]))
def test_a_plain_picture_is_put_in_where_it_is_asked(mask: np.ndarray, size: int) -> None:
    """Each asked pixel takes the painted colour: no shift, no seam at the region's border."""
    after = region_of(mask, size).paste(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((size, size, 3), 201, np.uint8), mask.astype(np.float32)
    )
    assert (after[mask] == 201).all()


@settings(max_examples=40, deadline=None)
@given(masks())
def test_places_survive_the_change_of_scale(mask: np.ndarray) -> None:
    """A ramp that is cut at another size and put back is the ramp to within the steps of the smaller picture."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    ramp = np.stack([2 * columns, 2 * rows, np.full_like(rows, 80)], -1).astype(np.uint8)
    region = region_of(mask, 64)
    assume(region.side <= min(HEIGHT, WIDTH))
    inner = np.zeros_like(mask)
    inner[region.top + 3 : region.top + region.side - 3, region.left + 3 : region.left + region.side - 3] = True
    after = region.paste(ramp, region.cut(ramp), inner.astype(np.float32))
    assert np.abs(after.astype(int) - ramp)[inner].max() <= 3


def test_depth_and_masks_are_never_mixed() -> None:
    """Every value of a cut depth is one of the frame's, beyond the border it is the given one; colours go on there."""
    depth = np.where(np.indices((HEIGHT, WIDTH))[1] < 45, 0.5, np.inf).astype(np.float32)
    depth[10, 10] = np.nan
    region = Region(-20, -20, 70, 33)
    cut = region.cut(depth, fill=9.0)
    assert cut.dtype == np.float32
    assert {float(v) for v in np.unique(cut[~np.isnan(cut)])} <= {0.5, 9.0, np.inf}
    assert (cut[0] == 9.0).all()
    mask = region.cut(depth > 1)
    assert mask.dtype == bool
    colours = region.cut(np.full((HEIGHT, WIDTH, 3), 33, np.uint8))
    assert (colours == 33).all()
