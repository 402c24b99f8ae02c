"""Point tokens and their way onto the latent grid."""

import torch

from hoigen.video.points import PointEncoder, interpolate_to_grid, project_to_grid


def test_a_token_lands_in_its_own_cell_and_latent_frame():
    """Frame 3 belongs to latent 1 (frames 1..4); pixel fractions choose the cell; unseen tokens leave no trace."""
    tokens = torch.ones(1, 5, 1, 2)
    pixels = torch.tensor([0.6, 0.3]).expand(1, 5, 1, 2)
    visible = torch.zeros(1, 5, 1, dtype=torch.bool)
    visible[0, 3] = True
    grid = project_to_grid(tokens, pixels, torch.ones(1, 5, 1), visible, height=4, width=5)
    assert grid.shape == (1, 2, 2, 4, 5)
    assert grid[0, 1, :, 1, 3].tolist() == [1, 1]
    assert grid.sum() == 2


def test_tokens_outside_the_picture_leave_no_trace():
    pixels = torch.tensor([[-0.01, 0.5], [0.5, 1.0], [1.2, 0.5]]).expand(1, 1, 3, 2)
    visible = torch.ones(1, 1, 3, dtype=torch.bool)
    assert project_to_grid(torch.ones(1, 1, 3, 1), pixels, torch.ones(1, 1, 3), visible, 4, 4).sum() == 0


def test_the_nearest_token_of_a_cell_wins():
    """Three tokens fall into one cell; the nearest is hidden, so the second nearest is what is seen there."""
    tokens = torch.tensor([1.0, 2.0, 3.0])[None, None, :, None]
    pixels = torch.full((1, 1, 3, 2), 0.5)
    depth, visible = torch.tensor([[[0.5, 0.9, 0.7]]]), torch.tensor([[[False, True, True]]])
    assert project_to_grid(tokens, pixels, depth, visible, 2, 2).flatten().tolist() == [0, 0, 0, 3]


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
