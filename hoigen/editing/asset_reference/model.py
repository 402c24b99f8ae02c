"""FLUX that makes a picture and its point map together, from views of an asset (RefAny3D, 3.1 and 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxSingleTransformerBlock, FluxTransformerBlock
from torch import Tensor, nn
from torch.nn import functional as F

from hoigen.editing.asset_reference.lora import adapt
from hoigen.models.flux import position_ids

TAGS = 256
"""Width of the domain switcher's table."""
PICTURE, POINTS = 0, 1
"""The two domains."""


@dataclass(frozen=True)
class Layout:
    """The sequence is [text, picture, views, views' point maps, point map]: here how many tokens each takes, so that
    the reference adapter and the domain adapter each act on one stretch. count: of views; side, view_side: of the
    target and of a view, in tokens."""

    text: int
    side: int
    count: int
    view_side: int

    @property
    def picture(self) -> int:
        return self.side**2

    @property
    def view(self) -> int:
        return self.view_side**2

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """Lengths of the image parts, in order."""
        views = self.count * self.view
        return self.picture, views, views, self.picture

    def ids(self) -> Tensor:
        """[S,3] position ids. Picture and point map share theirs, so do all conditions, which lie left of them by the
        target's width; text has zeros."""
        target = position_ids(self.side, self.side)
        view = position_ids(self.view_side, self.view_side, across=-self.side).repeat(2 * self.count, 1)
        return torch.cat([torch.zeros(self.text, 3), target, view, target])


@dataclass(frozen=True, eq=False)
class Views:
    """What is known of an asset. rgb, points: tokens [B,N,M,D] of its pictures and of their point maps."""

    rgb: Tensor
    points: Tensor


def switcher(width: int) -> nn.Sequential:
    """The domain switcher: a vector of ``width`` for picture and for point map, which is added to the time's."""
    return nn.Sequential(nn.Embedding(2, TAGS), nn.Linear(TAGS, width), nn.SiLU(), nn.Linear(width, width))


class AssetTransformer(nn.Module):
    """FLUX with two adapters and a domain switcher, which begin as nothing."""

    def __init__(self, transformer: FluxTransformer2DModel, rank: int) -> None:
        super().__init__()
        adapt(transformer, rank)
        self.transformer = transformer
        self.domain_embedder = switcher(transformer.inner_dim)
        nn.init.zeros_(self.domain_embedder[3].weight)
        nn.init.zeros_(self.domain_embedder[3].bias)

    def forward(
        self,
        x: Tensor,
        views: Views,
        timestep: Tensor,
        text: Tensor,
        pooled: Tensor,
        layout: Layout,
        guidance: Tensor | None = None,
        *,
        masked: bool = True,
    ) -> Tensor:
        """Velocity [B,2T,D] of noisy tokens x [B,2T,D]: the picture's, then the point map's.

        timestep: [B] in [0, 1]. text: [B,L,C], pooled: [B,P]. guidance: [B] where FLUX reads one. masked: False lets
        every token read all, as the released code has it for views that show nothing.
        """
        flux = self.transformer
        picture, points = x.split(layout.picture, 1)
        sequence = torch.cat([picture, views.rgb.flatten(1, 2), views.points.flatten(1, 2), points], 1)
        rotary = flux.pos_embed(layout.ids().to(x.device))
        run = _Run(layout, masked, *self._embeddings(timestep, pooled, guidance), rotary)
        h, words = flux.x_embedder(sequence, run.active), flux.context_embedder(text)
        for block in flux.transformer_blocks:
            words, h = run.block(block, words, h)
        h = torch.cat([words, h], 1)
        for block in flux.single_transformer_blocks:
            h = run.single(block, h)
        pieces = h[:, layout.text :].split(layout.parts, 1)
        return torch.cat([flux.proj_out(flux.norm_out(pieces[part], run.times[:, part])) for part in (0, 3)], 1)

    def _embeddings(self, timestep: Tensor, pooled: Tensor, guidance: Tensor | None) -> tuple[Tensor, Tensor]:
        """Embeddings of time and domain [B,4,W] of the image parts, and of time [B,W] for the text. Conditions are at
        time 0 (and at guidance 1)."""
        embed = self.transformer.time_text_embed
        still = torch.zeros_like(timestep)
        if guidance is None:
            moving, at_rest = embed(timestep * 1000, pooled), embed(still, pooled)
        else:
            moving = embed(timestep * 1000, guidance * 1000, pooled)
            at_rest = embed(still, torch.ones_like(guidance) * 1000, pooled)
        domain = self.domain_embedder(torch.tensor([PICTURE, POINTS], device=timestep.device))
        return torch.stack(
            [moving + domain[PICTURE], at_rest + domain[PICTURE], at_rest + domain[POINTS], moving + domain[POINTS]], 1
        ), moving


class _Run:
    """One pass: what every block reads."""

    def __init__(
        self, layout: Layout, masked: bool, times: Tensor, text_time: Tensor, rotary: tuple[Tensor, Tensor]
    ) -> None:
        self.layout, self.masked, self.times, self.text_time, self.rotary = layout, masked, times, text_time, rotary
        of_part = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]], device=times.device, dtype=times.dtype)
        self.active_part = of_part
        self.active = of_part.repeat_interleave(torch.tensor(layout.parts, device=times.device), 0)
        self.active_all = F.pad(self.active, (0, 0, layout.text, 0))

    def _spread(self, values: Tensor) -> Tensor:
        """[B,S,W] of [B,4,W], one value for each image part."""
        return torch.cat(
            [values[:, part : part + 1].expand(-1, length, -1) for part, length in enumerate(self.layout.parts)], 1
        )

    def block(self, block: FluxTransformerBlock, words: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        changes = block.norm1.linear(block.norm1.silu(self.times), self.active_part)
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = self._spread(changes).chunk(6, -1)
        normed, *text = block.norm1_context(words, emb=self.text_time)
        of_h, of_words = self._joint(block.attn, block.norm1.norm(h) * (1 + scale) + shift, normed)
        h = h + gate * of_h
        inner = block.ff.net[0](block.norm2(h) * (1 + scale_mlp) + shift_mlp)
        h = h + gate_mlp * block.ff.net[2](inner, self.active)
        text_gate, text_shift, text_scale, text_gate_mlp = (part[:, None] for part in text)
        words = words + text_gate * of_words
        return words + text_gate_mlp * block.ff_context(block.norm2_context(words) * (1 + text_scale) + text_shift), h

    def single(self, block: FluxSingleTransformerBlock, h: Tensor) -> Tensor:
        silu, active = block.norm.silu, self.active_part
        changes = self._spread(block.norm.linear(silu(self.times), active))
        of_text = block.norm.linear(silu(self.text_time)[:, None], torch.zeros_like(active[:1]))
        shift, scale, gate = torch.cat([of_text.expand(-1, self.layout.text, -1), changes], 1).chunk(3, -1)
        normed = block.norm.norm(h) * (1 + scale) + shift
        attn = block.attn
        query, key, value = (
            _heads(layer(normed, self.active_all), attn.head_dim) for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        read = self._attend(attn.norm_q(query), attn.norm_k(key), value)
        inner = block.act_mlp(block.proj_mlp(normed, self.active_all))
        return h + gate * block.proj_out(torch.cat([read, inner], 2), self.active_all)

    def _joint(self, attn: nn.Module, normed: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Attention of a block with separate weights for text; of the image [B,S,W] and of the text [B,L,W]."""
        query, key, value = (
            _heads(layer(normed, self.active), attn.head_dim) for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        text_query, text_key, text_value = (
            _heads(layer(words), attn.head_dim) for layer in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        )
        read = self._attend(
            torch.cat([attn.norm_added_q(text_query), attn.norm_q(query)], 2),
            torch.cat([attn.norm_added_k(text_key), attn.norm_k(key)], 2),
            torch.cat([text_value, value], 2),
        )
        of_text, of_image = read.split([self.layout.text, read.shape[1] - self.layout.text], 1)
        return attn.to_out[0](of_image, self.active), attn.to_add_out(of_text)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B,S,W] of heads [B,H,S,w]. The point map does not read text (text-agnostic attention); a view reads itself,
        its point map and the three branches that are not views; and nothing needs a mask of tokens by tokens."""
        query, key = apply_rotary_emb(query, self.rotary), apply_rotary_emb(key, self.rotary)
        if not self.masked:
            return _joined(_read(query, key, value))
        layout = self.layout
        first, last = layout.text + layout.picture, query.shape[2] - layout.picture
        whole = _read(query[:, :, :first], key, value)
        points = _read(query[:, :, last:], key[:, :, layout.text :], value[:, :, layout.text :])
        pairs = [self._pairs(part[:, :, first:last]) for part in (query, key, value)]
        shared = [
            torch.cat([part[:, :, :first], part[:, :, last:]], 2).repeat_interleave(layout.count, 0)
            for part in (key, value)
        ]
        read = _read(pairs[0], torch.cat([shared[0], pairs[1]], 2), torch.cat([shared[1], pairs[2]], 2))
        return _joined(torch.cat([whole, self._unpaired(read), points], 2))

    def _pairs(self, part: Tensor) -> Tensor:
        """Conditions [B,H,2NM,w] as views with their point maps [BN,H,2M,w]."""
        split = part.unflatten(2, (2, self.layout.count, self.layout.view))
        return split.permute(0, 3, 1, 2, 4, 5).flatten(3, 4).flatten(0, 1)

    def _unpaired(self, part: Tensor) -> Tensor:
        """Inverse of :meth:`_pairs`."""
        split = part.unflatten(0, (-1, self.layout.count)).unflatten(3, (2, self.layout.view))
        return split.permute(0, 2, 3, 1, 4, 5).flatten(2, 4)


def _heads(x: Tensor, width: int) -> Tensor:
    """[B,H,S,width] of [B,S,H*width]."""
    return x.unflatten(-1, (-1, width)).transpose(1, 2)


def _read(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention; on a CPU in float32, where it takes half the time that it takes in bfloat16."""
    if query.device.type != 'cpu':
        return F.scaled_dot_product_attention(query, key, value)
    with torch.autocast('cpu', enabled=False):
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float())


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
