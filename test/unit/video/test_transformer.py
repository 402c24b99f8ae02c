"""The control branch: what it must not change, what it must, and that public weights fit it."""

import json

import numpy as np
import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame


def inputs(frames=3):
    g = torch.Generator().manual_seed(2)
    draw = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    return draw(2, frames, 8, 6, 8), draw(2, 5, 12), torch.tensor([10, 900]), draw(2, frames, 4, 6, 8)


def plain_backbone(model, config):
    backbone = CogVideoXTransformer3DModel(**config, use_rotary_positional_embeddings=True).eval()
    backbone.load_state_dict({k: v for k, v in model.state_dict().items() if k in backbone.state_dict()})
    return backbone


def open_the_branch(model):
    """Give the zero-initialised layers values, so that the branch has an effect."""
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.control_parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))


@torch.no_grad()
def test_without_control_it_is_the_plain_backbone_bit_for_bit(small_model, small_config):
    """Users who switch the control off must get exactly the model that diffusers gives."""
    hidden, text, t, _ = inputs()
    rotary = small_model.rotary(3, 6, 8, hidden.device)
    want = plain_backbone(small_model, small_config)(hidden, text, t, image_rotary_emb=rotary).sample
    open_the_branch(small_model)
    assert torch.equal(small_model(hidden, text, t, image_rotary_emb=rotary), want)


@torch.no_grad()
def test_an_untrained_branch_changes_nothing(small_model, cloud):
    """Zero-initialised injection: training starts from the backbone's own quality."""
    hidden, text, t, latents = inputs()
    control = Control(with_first_frame(latents), latents, cloud)
    assert torch.equal(small_model(hidden, text, t, control=control), small_model(hidden, text, t))


@pytest.mark.parametrize('part', ['tracking', 'coloured', 'points'])
@torch.no_grad()
def test_every_condition_reaches_the_output(small_model, cloud, part):
    """Each condition alone changes the result once the branch is trained, and strength 0 takes it back."""
    hidden, text, t, latents = inputs()
    open_the_branch(small_model)
    value = {'tracking': with_first_frame(latents), 'coloured': latents, 'points': cloud}[part]
    control = Control(**{part: value})
    base = small_model(hidden, text, t)
    none = small_model(hidden, text, t, control=Control())
    assert not torch.allclose(small_model(hidden, text, t, control=control), none)
    assert torch.equal(small_model(hidden, text, t, control=control, control_strength=0.0), base)


@torch.no_grad()
def test_copied_blocks_start_as_the_backbones(small_model):
    """The branch replicates the pre-trained blocks (HVG-3D, key design 1)."""
    small_model.copy_base_into_branch()
    for base, copy in zip(small_model.transformer_blocks, small_model.transformer_blocks_copy, strict=False):
        for a, b in zip(base.state_dict().values(), copy.state_dict().values(), strict=True):
            assert torch.equal(a, b)


def test_control_parameters_are_all_but_the_backbones(small_model, small_config):
    """At full size only these train: one of the backbone's among them would spoil the frozen weights."""
    backbone = {n for n, _ in plain_backbone(small_model, small_config).named_parameters()}
    ids = {id(p) for p in small_model.control_parameters()}
    assert {n for n, p in small_model.named_parameters() if id(p) not in ids} == backbone


def test_more_copies_than_blocks_are_refused(small_config):
    with pytest.raises(ValueError, match='control_blocks: expected 1 to 3'):
        ControlledCogVideoX(**small_config, control_blocks=4)


@torch.no_grad()
def test_the_controlnet_form_is_a_chain_of_copies(small_config):
    """HVG-3D's branch, written out for three blocks: each copy reads the copy before, each adds through its zero layer.

    Its text tokens are its own too; nothing of the backbone enters it behind the embedding.
    """
    torch.manual_seed(4)
    model = ControlledCogVideoX(**small_config, control_blocks=3, point_branch=False).eval()
    open_the_branch(model)
    hidden, words, t, latents = inputs()
    embedding = model.time_embedding(model.time_proj(t).to(hidden.dtype))
    split = [words.shape[1], 3 * 3 * 4]
    text, stream = model.patch_embed(words, hidden).split(split, 1)
    tracking = model.patch_embed(words, with_first_frame(latents)).split(split, 1)[1]
    base, copy, zero = model.transformer_blocks, model.transformer_blocks_copy, model.combine_linears

    branch_0, branch_text_0 = copy[0](stream + tracking, text, embedding)
    branch_1, branch_text_1 = copy[1](branch_0, branch_text_0, embedding)
    branch_2, _ = copy[2](branch_1, branch_text_1, embedding)
    stream_0, text_0 = base[0](stream, text, embedding)
    stream_1, text_1 = base[1](stream_0 + 0.7 * zero[0](branch_0), text_0, embedding)
    stream_2, _ = base[2](stream_1 + 0.7 * zero[1](branch_1), text_1, embedding)
    stream = stream_2 + 0.7 * zero[2](branch_2)

    patches = model.proj_out(model.norm_out(model.norm_final(stream), temb=embedding))
    want = torch.zeros(2, 3, 4, 6, 8)
    for row, column in np.ndindex(6, 8):
        token = patches.unflatten(1, (3, 12))[:, :, row // 2 * 4 + column // 2]
        want[..., row, column] = token.unflatten(-1, (4, 2, 2))[..., row % 2, column % 2]
    control = Control(with_first_frame(latents))
    made = model(hidden, words, t, control=control, control_strength=0.7)
    assert (made - want).abs().max() <= 1e-5
    assert not hasattr(model, 'initial_combine_linear')


@pytest.mark.parametrize(('form', 'zero_layers'), [('controlnet', 1), ('das', 2)])
def test_one_zero_layer_lies_before_the_point_cloud(small_config, cloud, form, zero_layers):
    """Gradients reach the point encoder once the zero layers between it and the backbone have moved, so few is fast."""
    torch.manual_seed(0)
    options = {'control_form': form, 'control_blocks': 2, 'point_width': 16, 'point_heads': 2, 'point_channels': 4}
    model = ControlledCogVideoX(**small_config, **options)
    hidden, words, t, _ = inputs()
    optimiser = torch.optim.SGD(model.control_parameters(), lr=0.1)
    steps = 0
    while not steps or not model.point_to_grid.weight.grad.any():
        optimiser.step()
        optimiser.zero_grad()
        model(hidden, words, t, control=Control(points=cloud)).square().sum().backward()
        steps += 1
    assert steps == 1 + zero_layers


@pytest.mark.parametrize('frames', [1, 5, 9])
@torch.no_grad()
def test_a_shorter_clip_reads_the_beginning_of_the_learned_positions(small_config, frames):
    """What enters the tokens of a latent frame does not depend on how many follow; diffusers puts in sines instead."""
    model = ControlledCogVideoX(**small_config | {'use_learned_positional_embeddings': True}, control_blocks=2).eval()
    table = 0.02 * torch.randn(model.patch_embed.pos_embedding.shape, generator=torch.Generator().manual_seed(5))
    model.patch_embed.pos_embedding.copy_(table)
    hidden, words, t, _ = inputs(count := (frames - 1) // 4 + 1)
    read = []
    model.transformer_blocks[0].register_forward_pre_hook(lambda block, given: read.append((given[1], given[0])))
    model(hidden, words, t)
    text, stream = read[0]
    embed = model.patch_embed
    tokens = embed.proj(hidden.flatten(0, 1)).flatten(2).transpose(1, 2).unflatten(0, (2, count)).flatten(1, 2)
    torch.testing.assert_close(text - embed.text_proj(words), table[:, :5].expand(2, -1, -1).float(), atol=1e-6, rtol=0)
    positions = table[:, 5 : 5 + count * 12].expand(2, -1, -1).float()
    torch.testing.assert_close(stream - tokens, positions, atol=1e-6, rtol=0)


@torch.no_grad()
def test_more_frames_than_learned_positions_are_refused(small_config):
    model = ControlledCogVideoX(**small_config | {'use_learned_positional_embeddings': True}, control_blocks=2)
    hidden, words, t, _ = inputs(4)
    with pytest.raises(ValueError, match='hidden_states: expected at most 3 latent frames'):
        model(hidden, words, t)


@torch.no_grad()
def test_parity_with_the_released_tracking_branch(golden):
    """The tracking part computes what the released Diffusion-as-Shader code computes, with its own weights."""
    file = np.load(golden / 'fixtures' / 'das_tiny.npz')
    config = json.loads(str(file['config_json']))
    form = {'control_blocks': config.pop('num_tracking_blocks'), 'control_form': 'das', 'point_branch': False}
    model = ControlledCogVideoX(**form, **config).eval()
    model.load_state_dict({k[2:]: torch.from_numpy(file[k].astype(np.float32)) for k in file.files if k[:2] == 'w/'})
    at = lambda name: torch.from_numpy(file[name])  # noqa: E731
    args = at('in/hidden_states'), at('in/encoder_hidden_states'), at('in/timestep')
    rotary = at('in/rope_cos'), at('in/rope_sin')
    controlled = model(*args, image_rotary_emb=rotary, control=Control(at('in/tracking_maps')))
    assert (controlled - at('out/sample')).abs().max() <= 1e-5
    assert (model(*args, image_rotary_emb=rotary) - at('out/base_sample')).abs().max() <= 1e-5


@pytest.mark.parametrize(
    ('manifest', 'options', 'exact'),
    [
        ('cogvideox_5b_i2v_transformer', {}, False),
        ('das_tracking_transformer', {'control_blocks': 18, 'control_form': 'das', 'point_branch': False}, True),
    ],
)
def test_full_size_keys_and_shapes_are_the_published_ones(golden, manifest, options, exact):
    """The 5B weights load into this code key by key: built at full size on the meta device."""
    want = {k: list(v) for k, v in json.loads((golden / 'manifests' / f'{manifest}.json').read_text()).items()}
    with torch.device('meta'):
        model = ControlledCogVideoX(**options)
    got = {k: list(v.shape) for k, v in model.state_dict().items()}
    assert {k: got.get(k) for k in want} == want
    assert not exact or got.keys() == want.keys()
