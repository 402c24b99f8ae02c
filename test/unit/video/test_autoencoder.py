"""The small autoencoders keep CogVideoX's latent geometry."""

import pytest
import torch

from hoigen.models.cogvideox import PATCH, LinearAutoencoder, ReferenceAutoencoder, rough_picture


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ReferenceAutoencoder(latent_channels=4, width=8).eval()


@torch.no_grad()
def test_the_first_latent_is_the_first_frames_own(model):
    """The image condition of image-to-video is the first frame encoded alone: it must equal the clip's latent 0."""
    video = torch.randn(1, 9, 3, 32, 48)
    latents = model.latents(video)
    assert latents.shape == (1, 3, 4, 4, 6)
    assert torch.allclose(latents[:, :1], model.latents(video[:, :1]), atol=1e-6)


@torch.no_grad()
def test_latents_see_only_their_own_four_frames(model):
    video = torch.randn(1, 9, 3, 32, 48)
    changed = video.clone()
    changed[:, 8] += 1
    assert torch.equal(model.latents(video)[:, :2], model.latents(changed)[:, :2])


@torch.no_grad()
def test_an_untrained_decoder_shows_the_rough_picture(model):
    """The decoder learns a correction: before training the picture is the rough one, so nothing starts worse."""
    reference = torch.rand(1, 9, 9, 32, 48)
    assert torch.allclose(model.frames(torch.randn(1, 3, 4, 4, 6), reference), rough_picture(reference), atol=1e-6)


def test_wrong_frame_counts_are_refused(model):
    with pytest.raises(ValueError, match=r'expected 4k\+1 frames, got 8'):
        model.encode(torch.zeros(1, 8, 3, 32, 48))
    with pytest.raises(ValueError, match='expected 9 frames for 3 latents, got 8'):
        model.frames(torch.zeros(1, 3, 4, 4, 6), torch.zeros(1, 8, 9, 32, 48))


@torch.no_grad()
def test_all_components_of_a_patch_are_the_patch():
    """Nothing is lost or moved between a video and its components: with all of them it comes back."""
    model = LinearAutoencoder(latent_channels=PATCH, width=8).eval()
    video = 2 * torch.rand(1, 9, 3, 16, 24) - 1
    model.fit(torch.randn(2 * PATCH, PATCH))
    latents = model.latents(video)
    assert latents.shape == (1, 3, PATCH, 2, 3)
    assert torch.allclose(model.frames(latents, torch.zeros(1, 9, 9, 16, 24)), video, atol=1e-4)


@torch.no_grad()
def test_the_first_components_are_those_that_vary_most():
    model = LinearAutoencoder(latent_channels=2, width=8)
    spread = torch.ones(PATCH)
    spread[[5, 70]] = torch.tensor([9.0, 5.0])
    model.fit(3 + spread * torch.randn(4 * PATCH, PATCH, generator=torch.Generator().manual_seed(0)))
    assert model.basis.abs().argmax(dim=1).tolist() == [5, 70]
    assert torch.allclose(model.mean, torch.full((PATCH,), 3.0), atol=1)


@torch.no_grad()
def test_a_linear_decoder_sees_no_points_and_no_background_that_is_not_known():
    """Hand and object in its frames were generated, whatever the first frame shows of them."""
    torch.manual_seed(0)
    model = LinearAutoencoder(latent_channels=8, width=8).eval()
    torch.nn.init.normal_(model.to_rgb.weight, std=0.1)
    latents, reference = torch.randn(1, 2, 8, 2, 3), torch.rand(1, 5, 9, 16, 24)
    reference[:, :, 3] = (reference[:, :, 3] > 0.5).float()
    frames = model.frames(latents, reference)
    other = reference.clone()
    other[:, :, 4:] = torch.rand(1, 5, 5, 16, 24)
    other[:, :, :3] += 1 - reference[:, :, 3:4]
    assert torch.allclose(model.frames(latents, other), frames, atol=1e-5)
    other[:, :, :3] += reference[:, :, 3:4]
    assert not torch.allclose(model.frames(latents, other), frames, atol=0.1)


@torch.no_grad()
def test_a_linear_decoder_may_show_the_background_as_it_is():
    """Where it gives the background all of a pixel, the pixel is the background's, whatever the latents say."""
    model = LinearAutoencoder(latent_channels=8, width=8).eval()
    torch.nn.init.constant_(model.to_rgb.bias[12:], 50.0)
    reference = torch.rand(1, 5, 9, 16, 24)
    reference[:, :, 3] = 1
    frames = model.frames(torch.randn(1, 2, 8, 2, 3), reference)
    assert torch.allclose(frames, reference[:, :, :3], atol=1e-5)
