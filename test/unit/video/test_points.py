"""Point tokens and their way onto the latent grid."""

import numpy as np
import torch

from hoigen.video.inputs import point_inputs
from hoigen.video.points import PointEncoder, gather_to_grid, interpolate_to_grid


def test_a_cell_takes_the_token_of_its_nearest_visible_point():
    """Of two points that are seen, each cell reads the one nearer to its centre; a hidden one leaves no trace."""
    tokens = torch.tensor([1.0, 2.0, 3.0])[None, None, :, None]
    pixels = torch.tensor([[0.1, 0.5], [0.9, 0.5], [0.5, 0.5]]).expand(1, 1, 3, 2)
    visible = torch.tensor([[[True, True, False]]])
    assert gather_to_grid(tokens, pixels, visible, height=1, width=4).flatten().tolist() == [1, 1, 2, 2]


def test_a_cell_is_nearest_in_pixels_not_in_fractions_of_the_image():
    """In a wide image a point half its height above is nearer than one a quarter of its width aside."""
    tokens = torch.tensor([1.0, 2.0])[None, None, :, None]
    pixels = torch.tensor([[0.0625, 1.0], [0.3125, 0.5]]).expand(1, 1, 2, 2)
    grid = gather_to_grid(tokens, pixels, torch.ones(1, 1, 2, dtype=torch.bool), height=1, width=8)
    assert grid[0, 0, 0, 0, 0] == 1


def test_frames_are_grouped_as_the_autoencoder_groups_them():
    """Frame 3 belongs to latent 1 (frames 1..4), which takes their mean; frames without a visible point are zeros."""
    tokens, pixels = torch.ones(1, 5, 1, 2), torch.full((1, 5, 1, 2), 0.5)
    visible = torch.zeros(1, 5, 1, dtype=torch.bool)
    visible[0, 3] = True
    grid = gather_to_grid(tokens, pixels, visible, height=2, width=3)
    assert grid.shape == (1, 2, 2, 2, 3)
    assert (grid[0, 0] == 0).all()
    assert (grid[0, 1] == 0.25).all()


def test_each_role_has_its_share_of_the_queries():
    """A scene that is far larger than hand and object takes no more queries than it has of the cloud."""
    random = np.random.default_rng(0)
    points = random.normal(size=(1, 100, 3)) * np.repeat([[0.1], [0.1], [10.0]], (40, 40, 20), axis=0)
    role = np.repeat([1, 2, 0], (40, 40, 20)).astype(np.uint8)
    read = point_inputs(points, role, np.zeros((1, 100, 2)), np.ones((1, 100), bool), (8, 8), cloud=100, tokens=50)
    assert torch.bincount(read.role[0, read.query[0]]).tolist() == [10, 20, 20]
    assert len(read.query[0].unique()) == 50


def test_interpolation_keeps_tokens_in_the_order_of_their_list():
    """As many tokens as cells and one frame: every token is its own cell."""
    tokens = torch.arange(12.0)[None, None, :, None]
    assert interpolate_to_grid(tokens, 3, 4).flatten().tolist() == list(range(12))


def test_the_encoder_does_not_depend_on_the_order_of_the_cloud():
    """A cloud is a set: permuting its rows (and the query's indices with them) changes nothing."""
    torch.manual_seed(0)
    encoder = PointEncoder(width=16, heads=2).eval()
    points, role, query = torch.randn(1, 3, 20, 3), torch.randint(0, 3, (1, 20)), torch.tensor([[4, 7]])
    order = torch.randperm(20)
    place = torch.argsort(order)
    moved = encoder(points[:, :, order], role[:, order], place[query])
    assert torch.allclose(moved, encoder(points, role, query), atol=1e-5)
