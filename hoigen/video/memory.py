"""What a video model will need, from its configuration alone: :mod:`hoigen.models.memory` counts it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from hoigen.models.cogvideox import PublishedAutoencoder
from hoigen.models.configuration import Memory
from hoigen.models.hub.published import ModelError
from hoigen.models.memory import THRIFT, Needs, flops, free_bytes, gigabytes, peak_bytes, size_of, t5_needs
from hoigen.video.configuration import ModelConfig
from hoigen.video.inputs import PointInputs
from hoigen.video.points import latent_frames
from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame


def needs(config: ModelConfig) -> Needs:
    """Count all parts of a model with a published backbone, in bfloat16; some seconds."""
    if config.base is None:
        raise ModelError(f'model {config.name}: expected one with a published backbone; others are small')
    with torch.device('meta'):
        transformer = ControlledCogVideoX(**config.transformer).bfloat16().requires_grad_(False)
        autoencoder = PublishedAutoencoder(**config.autoencoder).bfloat16().requires_grad_(False)
    video, latents, text = meta_inputs(config)
    encode, decode = {}, {}
    for tiled in (False, True):
        autoencoder.use_tiling = tiled
        encode[tiled] = peak_bytes(lambda: autoencoder.latents(video))
        decode[tiled] = peak_bytes(lambda: autoencoder.frames(latents, video))
    step = partial(forward, transformer, latents, text, control_inputs(config, latents))
    blocks = [*transformer.transformer_blocks, *transformer.transformer_blocks_copy, transformer.combine_linears]
    linears = sum(m.weight.numel() for block in blocks for m in block.modules() if isinstance(m, nn.Linear))
    outside = size_of(transformer) - sum(map(size_of, blocks))
    text_bytes, embed = (
        (0, 0) if config.text is None else t5_needs(config.text, config.transformer['max_text_seq_length'])
    )
    return Needs(
        size_of(transformer),
        size_of(transformer) - linears,
        max(map(size_of, blocks[:-1])) + outside,
        size_of(autoencoder),
        text_bytes,
        embed,
        encode,
        decode,
        peak_bytes(step),
        flops(step),
        flops(lambda: forward(transformer, latents, text, None)),
    )


def refuse_too_little(config: ModelConfig) -> Needs:
    """What the model needs; ModelError, before anything is loaded, when the device has not the memory for it."""
    device = config.memory.torch_device()
    has, need = free_bytes(device), needs(config)
    if need.peak(config.memory) > has:
        raise ModelError(
            f'model {config.name}: needs {gigabytes(need.peak(config.memory))} of memory on {device}, '
            f'{gigabytes(has)} are free; {advice(need, config.memory, has)}'
        )
    return need


def advice(need: Needs, memory: Memory, has: float) -> str:
    """The fastest use of memory that would fit, as options of ``hoigen link``; or that none does."""
    fits = [m for m in THRIFT if need.peak(m) <= has]
    if not fits:
        least = min(THRIFT, key=need.peak)
        return f'no use of memory fits, the least is {gigabytes(need.peak(least))} with {options(least)}'
    return f'hoigen link --out FOLDER {options(fits[0])} makes a model of it that needs {gigabytes(need.peak(fits[0]))}'


def label(memory: Memory) -> str:
    """A use of memory in a few words."""
    said = [
        memory.weights if memory.weights != 'bfloat16' else '',
        f'offload {memory.offload}' if memory.offload != 'none' else '',
        'tiling' if memory.tiling else '',
    ]
    return ', '.join(filter(None, said)) or 'all on it'


def options(memory: Memory) -> str:
    """A use of memory as command-line options."""
    said = [
        f'--memory.weights {memory.weights}' if memory.weights != 'bfloat16' else '',
        f'--memory.offload {memory.offload}' if memory.offload != 'none' else '',
        '--memory.tiling' if memory.tiling else '',
    ]
    return ' '.join(filter(None, said))


def forward(transformer: ControlledCogVideoX, latents: Tensor, text: Tensor, control: Control | None) -> Tensor:
    """One pass over a noisy clip; the rotary embedding is an input, as it is made once."""
    grid = latents.shape[-2] * latents.shape[-1] // transformer.config.patch_size**2
    rotary = torch.empty(2, latents.shape[1] * grid, transformer.config.attention_head_dim, device=latents.device)
    timestep = torch.zeros(len(latents), device=latents.device)
    return transformer(
        with_first_frame(latents, latents[:, :1]),
        text,
        timestep,
        image_rotary_emb=(rotary[0], rotary[1]),
        control=control,
    )


def control_inputs(config: ModelConfig, latents: Tensor) -> Control:
    """All conditions of a clip, without values; the points in float32, as they come from the scene."""

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(len(latents), *shape, dtype=dtype, device=latents.device)

    frames, cloud, tokens = config.frames, config.cloud, config.tokens
    points = PointInputs(
        empty(frames, cloud, 3),
        empty(cloud, dtype=torch.long),
        empty(tokens, dtype=torch.long),
        empty(frames, tokens, 2),
        empty(frames, tokens, dtype=torch.bool),
    )
    return Control(with_first_frame(latents), latents, points)


def meta_inputs(config: ModelConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Video, latents and text of one clip, without storage."""
    t = config.transformer
    like = {'device': 'meta', 'dtype': torch.bfloat16}
    return (
        torch.empty(1, config.frames, 3, config.height, config.width, **like),
        torch.empty(
            1,
            latent_frames(config.frames),
            config.autoencoder['latent_channels'],
            config.height // 8,
            config.width // 8,
            **like,
        ),
        torch.empty(1, t['max_text_seq_length'], t['text_embed_dim'], **like),
    )


@dataclass(frozen=True)
class TrainingNeeds:
    """Bytes of the frozen backbone (bfloat16) and of the trained branch (float32); activations of forward and backward.

    block: the largest block in bfloat16 with its gradient, which every GPU gathers whole while it works on it.
    checkpointed, kept: with blocks computed again in backward, and with all kept. flops: a step's, with the former.
    """

    backbone: int
    branch: int
    block: int
    checkpointed: int
    kept: int
    flops: int

    def stored(self, gpus: int) -> int:
        """Weights, gradients, Adam's two moments and the average, shared among ``gpus``."""
        shared = self.backbone + 5 * self.branch
        return shared // gpus + (self.block if gpus > 1 else 0)


def training_needs(config: ModelConfig, batch: int = 1) -> TrainingNeeds:
    """Count a training step with ``batch`` clips, computing in bfloat16; some seconds.

    Autocast's bfloat16 copies of the branch's weights are counted with the activations: those of a block where blocks
    are computed again, else all.
    """
    with torch.device('meta'):
        model = ControlledCogVideoX(**config.transformer).bfloat16().requires_grad_(False)
    for parameter in model.control_parameters():
        parameter.requires_grad_(True)
    branch = sum(p.numel() for p in model.control_parameters())
    backbone = sum(p.numel() for p in model.parameters()) - branch
    block = sum(p.numel() for p in model.transformer_blocks_copy[0].parameters())
    _, latents, text = meta_inputs(config)
    latents, text = (x.expand(batch, *x.shape[1:]).contiguous() for x in (latents, text))
    step = partial(forward, model, latents, text, control_inputs(config, latents))
    model.enable_gradient_checkpointing()
    work = flops(step, backward=True)  # leaves the parameters' gradients there, which are counted with what is stored
    checkpointed = peak_bytes(step, backward=True) + 2 * block
    model.disable_gradient_checkpointing()
    kept = peak_bytes(step, backward=True) + 2 * branch
    return TrainingNeeds(2 * backbone, 4 * branch, 2 * 2 * block, checkpointed, kept, work)
