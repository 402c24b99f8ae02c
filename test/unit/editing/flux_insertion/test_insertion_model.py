"""FLUX with an insertion's conditions: what the projectors add, and the places of the sequence."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hoigen.editing.conditions import as_signed, as_uint8, depth_picture
from hoigen.editing.flux_insertion.model import FEATURES, InsertionTransformer, OrientationProjector, sequence_ids
from hoigen.geometry.orientation import Orientation


def inputs(seed: int = 0) -> dict[str, torch.Tensor]:
    draw = lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    return {
        'x': draw(1, 16, 16),
        'scene': draw(1, 32, 16),
        'references': draw(1, 2, 4, 16),
        'target': torch.from_numpy(Orientation(0.3, 0.2, 0.1).features())[None],
        'own': torch.zeros(1, 2, FEATURES),
        'timestep': torch.tensor([0.5]),
        'text': draw(1, 3, 12),
        'pooled': draw(1, 12),
        'ids': sequence_ids(4, [2, 2]),
    }


def test_projectors_begin_as_nothing(small_flux) -> None:
    """The published weights do what they did before them (SpatialHand: P is zero-initialised)."""
    model, given = InsertionTransformer(small_flux), inputs()
    turned = {**given, 'target': given['target'].flip(-1), 'own': torch.ones(1, 2, FEATURES)}
    assert torch.equal(model(**given), model(**turned))


def test_a_trained_projector_turns_references_and_nothing_else(small_flux) -> None:
    """An orientation that is not known adds nothing, however the projector was trained."""
    projector = OrientationProjector(16)
    nn.init.normal_(projector.outer.weight)
    nn.init.normal_(projector.outer.bias)
    assert not projector(torch.zeros(2, FEATURES)).any()
    assert projector(torch.ones(2, FEATURES)).all()
    model, given = InsertionTransformer(small_flux), inputs()
    nn.init.normal_(model.target.outer.weight)
    other = {**given, 'target': torch.from_numpy(Orientation(2.0, 0.2, 0.1).features())[None]}
    assert not torch.equal(model(**given), model(**other))


def test_the_velocity_is_that_of_the_picture_alone(small_flux) -> None:
    """As many tokens as X has, whatever stands beside it in the sequence."""
    assert InsertionTransformer(small_flux)(**inputs()).shape == (1, 16, 16)


def test_places_in_the_sequence() -> None:
    """Masked image and depth lie on X, told apart by the first axis; references share no place with them or another."""
    ids = sequence_ids(4, [2, 2])
    x, masked, depth, references = ids[:16], ids[16:32], ids[32:48], ids[48:]
    assert torch.equal(x[:, 1:], masked[:, 1:])
    assert torch.equal(x[:, 1:], depth[:, 1:])
    assert len({tuple(row) for row in ids.tolist()}) == len(ids)
    assert references[:, 1:].min() == 4


def test_depth_as_a_picture_keeps_the_order_of_depths() -> None:
    """Nearer is brighter; what is unknown or nowhere is as far as it goes; one depth alone is no failure."""
    picture = depth_picture(np.array([[0.4, 0.8], [np.inf, np.nan]], np.float32))
    assert picture[0, 0] > picture[0, 1] >= picture[1, 0] == picture[1, 1] == -1
    assert np.isfinite(depth_picture(np.full((3, 3), 0.5, np.float32))).all()
    assert (depth_picture(np.full((3, 3), np.inf, np.float32)) == -1).all()


def test_colours_survive_the_way_there_and_back() -> None:
    """Every uint8 value."""
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_uint8(as_signed(values)), values)
