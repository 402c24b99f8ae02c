"""Identity of painted objects: the plumbing and closed forms, on small untrained networks of the real classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from hoigen.editing.evaluation.identity import Identity, cut_out
from hoigen.editing.evaluation.options import IdentityConfig
from hoigen.models.hub import ModelError
from hoigen.provenance import sha256_of

SMALL = {'hidden_size': 8, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'image_size': 32, 'patch_size': 16}
SIZES = {'size': {'shortest_edge': 32}, 'crop_size': {'height': 32, 'width': 32}}


@pytest.fixture
def networks(tmp_path) -> IdentityConfig:
    torch.manual_seed(0)
    dino, clip = tmp_path / 'dino', tmp_path / 'clip'
    Dinov2Model(Dinov2Config(**SMALL)).save_pretrained(dino)
    BitImageProcessorPil(**SIZES).save_pretrained(dino)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**SMALL, intermediate_size=16, projection_dim=4)).save_pretrained(
        clip
    )
    CLIPImageProcessorPil(**SIZES).save_pretrained(clip)
    return IdentityConfig(str(dino), clip)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True
    mask[10, 30] = False
    return mask


def test_the_object_is_alone_on_white(picture, mask) -> None:
    """Square, in the middle, nothing of the scene left: as reference pictures are."""
    alone = cut_out(picture, mask)
    assert alone.shape == (24, 24, 3)
    assert np.array_equal(alone[7:17, 2:22][1:], picture[11:20, 30:50])
    alone[7:17, 2:22] = 255
    assert (alone == 255).all()
    assert (cut_out(picture, mask)[7, 2] == 255).all()


def test_an_object_is_like_itself_and_unlike_others(networks, picture, mask) -> None:
    """Both networks: one for what the reference shows, whatever stands around the object; less for another."""
    identity = Identity(networks)
    other = np.where(mask[..., None], picture, 255 - picture)
    same = identity.compare(other, mask, cut_out(picture, mask))
    assert same == {'DINO': pytest.approx(1, abs=1e-5), 'CLIP': pytest.approx(1, abs=1e-5)}
    inverse = identity.compare(255 - picture, mask, cut_out(picture, mask))
    assert max(inverse.values()) < 0.9999


def test_weights_are_told_and_those_not_given_left_out(networks, picture, mask) -> None:
    identity = Identity(networks)
    assert identity.weights == {
        'DINO': sha256_of(Path(networks.dino) / 'model.safetensors'),
        'CLIP': sha256_of(networks.clip / 'model.safetensors'),
    }
    assert Identity(IdentityConfig()).compare(picture, mask, picture) == {}


def test_missing_weights_and_an_empty_mask_are_refused(tmp_path, picture, mask) -> None:
    with pytest.raises(ModelError, match='clip: expected a folder of weights, found none at'):
        Identity(IdentityConfig(clip=tmp_path / 'none'))
    with pytest.raises(ModelError, match='none'):
        Identity(IdentityConfig(dino=str(tmp_path / 'none')))
    with pytest.raises(ValueError, match='mask: expected at least one pixel'):
        cut_out(picture, ~(mask | ~mask))
