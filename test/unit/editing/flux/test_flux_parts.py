"""Pictures to tokens and back, text and sampling: together they are FLUX's own pipeline."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from published_flux import toy_config, write_flux
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from hoigen.editing.flux.published import load_autoencoder
from hoigen.models.configuration import Memory
from hoigen.models.flux import (
    PatchAutoencoder,
    PatchConfig,
    decode,
    encode,
    noise,
    pack,
    position_ids,
    sample,
    schedule,
    unpack,
)
from hoigen.models.text import LENGTH, CaptionEncoder, WordTable


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp('parts')
    write_flux(home / 'flux')
    return home / 'flux'


def test_a_picture_is_that_of_the_official_pipeline(folder):
    """Caption, schedule, guidance, positions, packing and decoding, all at once: what FLUX.1-dev paints from a text."""
    pipeline = FluxPipeline(
        FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        load_autoencoder(toy_config(folder, folder)),
        CLIPTextModel.from_pretrained(folder / 'text_encoder'),
        CLIPTokenizer.from_pretrained(folder / 'tokenizer'),
        T5EncoderModel.from_pretrained(folder / 'text_encoder_2'),
        T5Tokenizer.from_pretrained(folder / 'tokenizer_2'),
        FluxTransformer2DModel.from_pretrained(folder / 'transformer').eval(),
    )
    pipeline.set_progress_bar_config(disable=True)
    start = noise(4, 16, 16)
    official = (
        pipeline(
            'can',
            height=32,
            width=32,
            num_inference_steps=3,
            guidance_scale=2.5,
            latents=start.clone(),
            max_sequence_length=7,
            output_type='pt',
        ).images
        * 2
        - 1
    )

    text, pooled = CaptionEncoder(folder, 7, Memory(weights='float32'))(['can'])

    def flux(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        ids, guidance = torch.zeros(7, 3), torch.tensor([2.5])
        result: torch.Tensor = pipeline.transformer(
            x, text, pooled, t, position_ids(4, 4), ids, guidance, return_dict=False
        )[0]
        return result

    with torch.no_grad():
        ours = decode(pipeline.vae, sample(flux, start, schedule(3, 16)), 4, 4)
    torch.testing.assert_close(ours, official, atol=1e-4, rtol=0)
    assert official.std() > 0.05


def test_tokens_are_packed_as_the_official_ones():
    """Four latents in one token, channel by channel, row by row; and back."""
    latents = torch.randn(2, 4, 6, 10)
    torch.testing.assert_close(pack(latents), FluxPipeline._pack_latents(latents, 2, 4, 6, 10))
    torch.testing.assert_close(unpack(pack(latents), 3, 5), latents)
    official = FluxPipeline._prepare_latent_image_ids(1, 3, 5, 'cpu', torch.float32)
    torch.testing.assert_close(position_ids(3, 5), official)


def test_moved_positions():
    """Kind, row and column of each token."""
    assert position_ids(1, 2, kind=3, down=10, across=20).tolist() == [[3, 10, 20], [3, 10, 21]]


def test_latents_are_scaled_as_published(small_published_autoencoder):
    """The means alone, moved and scaled as the configuration says; the way back undoes it."""
    pictures = torch.rand(1, 3, 16, 16) * 2 - 1
    mean = small_published_autoencoder.encode(pictures).latent_dist.mean
    tokens = encode(small_published_autoencoder, pictures)
    torch.testing.assert_close(unpack(tokens, 2, 2) / 0.5 + 0.1, mean)
    expected = small_published_autoencoder.decode(mean).sample.clamp(-1, 1)
    torch.testing.assert_close(decode(small_published_autoencoder, tokens, 2, 2), expected)


@pytest.fixture
def pictures():
    """Smooth ones, as pictures are: neighbours are alike."""
    torch.manual_seed(0)
    coarse = torch.rand(8, 3, 4, 4) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(16, 16), mode='bilinear')


def test_principal_components_are_the_best_that_a_line_can_do(pictures):
    """As many as a patch has numbers rebuild it; fewer lose what least squares must lose, and no more."""
    whole = PatchAutoencoder(PatchConfig(channels=48, pixels=4, width=8)).requires_grad_(False)
    whole.begin(pictures)
    torch.testing.assert_close(whole.pictures(whole.latents(pictures)), pictures, atol=1e-3, rtol=0)
    few = PatchAutoencoder(PatchConfig(channels=6, pixels=4, width=8)).requires_grad_(False)
    few.begin(pictures)
    patches = torch.nn.functional.unfold(pictures, 4, stride=4).transpose(1, 2).reshape(-1, 48).numpy()
    colour = patches.reshape(-1, 3, 16).mean((0, 2)).repeat(16)
    lost = np.linalg.svd(patches - colour, compute_uv=False)[6:]
    error = float((few.pictures(few.latents(pictures)) - pictures).square().sum())
    assert error == pytest.approx((lost**2).sum(), rel=1e-3)


def test_normalised_latents_have_unit_variance_and_rebuild_the_same(pictures):
    """Also after training, where the convolutions add something."""
    autoencoder = PatchAutoencoder(PatchConfig(channels=6, pixels=4, width=8)).requires_grad_(False)
    autoencoder.begin(pictures)
    for last in (autoencoder.inner[-1], autoencoder.fine[-1]):
        torch.nn.init.normal_(last.weight, std=0.3)
        torch.nn.init.normal_(last.bias, std=0.3)
    before = autoencoder.pictures(autoencoder.latents(pictures))
    assert abs(float(autoencoder.latents(pictures).std()) - 1) > 0.05
    autoencoder.normalise(pictures)
    assert float(autoencoder.latents(pictures).std()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(autoencoder.pictures(autoencoder.latents(pictures)), before, atol=1e-4, rtol=1e-3)


def test_words_are_read_whatever_stands_about_them():
    """Case and marks are no difference, order is; what is not there is zero and counts for nothing."""
    torch.manual_seed(0)
    table = WordTable(64, 5)
    same = table.numbers(['A red, red mug!', 'a red red mug'])
    assert torch.equal(same[0], same[1])
    assert not torch.equal(table.numbers(['red mug'])[0], table.numbers(['mug red'])[0])
    vectors, pooled = table(table.numbers(['red mug', '']))
    assert vectors.shape == (2, LENGTH, 5)
    torch.testing.assert_close(pooled[0], vectors[0, :2].mean(0))
    assert not pooled[1].any()
    assert not vectors[0, 2:].any()


def test_a_long_caption_is_cut_not_refused():
    assert (WordTable(64, 5).numbers(['word ' * 50]) > 0).all()
