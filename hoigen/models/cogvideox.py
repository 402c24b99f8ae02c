"""The small video autoencoders, and CogVideoX's own behind the same calls.

They keep the latent geometry of ``AutoencoderKLCogVideoX`` (8x8 in space, 4x in time, frame 0 alone in latent 0), so
that the same DiT, scheduler and pipeline run on all. The decoder of :class:`ReferenceAutoencoder` also reads a
*reference* at pixel resolution (the first frame carried along and the coloured points,
:func:`hoigen.video.inputs.reference_video`): a small model has no capacity to carry fine texture through a latent, and
need not. That of :class:`LinearAutoencoder` reads the carried background alone: hand and object come from the latents.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

REFERENCE_CHANNELS = 9
"""background rgb, background known, points rgb, whether a point of unknown and whether one of known colour is there."""


PATCH = 4 * 3 * 8 * 8
"""Values of a patch: 4 frames of 8x8 pixels."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and, where ``temporal``, a mixing of neighbouring frames. ``[B, T, C, H, W]``."""

    def __init__(self, channels: int, temporal: bool = False) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix = nn.Conv1d(channels, channels, 3, padding=1, padding_mode='replicate') if temporal else None
        nn.init.zeros_(self.conv2.weight)
        if self.mix is not None:
            nn.init.zeros_(self.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, channels, height, width = x.shape
        y = x.flatten(0, 1)
        y = self.conv2(F.silu(self.conv1(F.silu(self.norm(y)))))
        x = x + y.unflatten(0, (batch, time))
        if self.mix is not None:
            rows = x.permute(0, 3, 4, 2, 1).reshape(-1, channels, time)
            mixed = self.mix(F.silu(rows)).reshape(batch, height, width, channels, time)
            x = x + mixed.permute(0, 4, 3, 1, 2)
        return x


def _per_frame(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a 2D layer to every frame of ``[B, T, C, H, W]``."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class _Painter(ModelMixin, ConfigMixin):
    """A convolutional decoder: latents, and a rough picture at pixel resolution that it corrects."""

    def __init__(self, latent_channels: int, width: int, seen: int, made: int = 3) -> None:
        """seen, made: channels that are read, and that are made, at pixel resolution."""
        super().__init__()
        w = width
        self.register_buffer('latent_scale', torch.ones(()))
        self.from_latent = nn.Conv2d(latent_channels, 4 * w, 3, padding=1)
        self.latent_block = ResidualBlock(4 * w, temporal=True)
        self.to_frames = nn.Conv2d(4 * w, 4 * 2 * w, 3, padding=1)

        self.reference_stem = nn.Conv2d(4 * seen, w, 3, padding=1)
        self.reference_fine = ResidualBlock(w)
        self.down_mid = nn.Conv2d(w, 2 * w, 3, stride=2, padding=1)
        self.reference_mid = ResidualBlock(2 * w, temporal=True)
        self.down_coarse = nn.Conv2d(2 * w, 3 * w, 3, stride=2, padding=1)
        self.merge = nn.Conv2d(5 * w, 4 * w, 3, padding=1)
        self.coarse = nn.ModuleList(ResidualBlock(4 * w, temporal=True) for _ in range(2))
        self.up_mid = nn.Conv2d(4 * w + 2 * w, 2 * w, 3, padding=1)
        self.mid = nn.ModuleList(ResidualBlock(2 * w, temporal=True) for _ in range(2))
        self.up_fine = nn.Conv2d(2 * w + w, w, 3, padding=1)
        self.fine = nn.ModuleList(ResidualBlock(w) for _ in range(2))
        self.to_rgb = nn.Conv2d(w, 4 * made, 3, padding=1)
        nn.init.zeros_(self.to_rgb.weight)
        nn.init.zeros_(self.to_rgb.bias)

    def latents(self, video: Tensor) -> Tensor:
        """Latents of a video as the DiT sees them, ``[B, k+1, C, H/8, W/8]``: the posterior's mean at unit variance."""
        return self.encode(video)[0].float() * self.latent_scale

    def image_latents(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """The first frame's latents ``[B, 1, C, H/8, W/8]``; nothing is drawn here."""
        return self.latents(image)

    def frames(self, latents: Tensor, reference: Tensor) -> Tensor:
        """The inverse of :meth:`latents`: frames ``[B, 4k+1, 3, H, W]``, about [-1, 1]."""
        return self.decode(latents / self.latent_scale, reference)

    def encode(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance ``[B, k+1, C, H/8, W/8]`` of the posterior of ``[B, 4k+1, 3, H, W]``, unscaled."""
        raise NotImplementedError

    def decode(self, latents: Tensor, reference: Tensor) -> Tensor:
        """Frames ``[B, 4k+1, 3, H, W]`` of unscaled latents; reference as :data:`REFERENCE_CHANNELS` says."""
        raise NotImplementedError

    def correction(self, latents: Tensor, seen: Tensor) -> Tensor:
        """What is added to the rough picture, ``[B, 4k+1, made, H, W]``; seen ``[B, 4k+1, seen, H, W]``."""
        z = self.latent_block(_per_frame(self.from_latent, latents))
        z = _per_frame(self.to_frames, z).unflatten(2, (4, -1)).flatten(1, 2)[:, 3:]
        fine = self.reference_fine(_per_frame(self.reference_stem, F.pixel_unshuffle(seen, 2)))
        mid = self.reference_mid(_per_frame(self.down_mid, fine))
        coarse = _per_frame(self.down_coarse, mid)
        x = _per_frame(self.merge, torch.cat([z, coarse], dim=2))
        for block in self.coarse:
            x = block(x)
        x = _per_frame(self.up_mid, torch.cat([_double(x), mid], dim=2))
        for block in self.mid:
            x = block(x)
        x = _per_frame(self.up_fine, torch.cat([_double(x), fine], dim=2))
        for block in self.fine:
            x = block(x)
        return F.pixel_shuffle(_per_frame(self.to_rgb, x).float(), 2)


class ReferenceAutoencoder(_Painter):
    """Video in [-1, 1] to latents by convolutions, and back over what the first frame tells.

    Each latent is made from its own four frames only.
    """

    @register_to_config
    def __init__(self, latent_channels: int = 16, width: int = 32) -> None:
        w = width
        super().__init__(latent_channels, width, seen=6)
        self.stem = nn.Conv2d(48, 2 * w, 3, padding=1)
        self.encode_fine = ResidualBlock(2 * w)
        self.encode_down = nn.Conv2d(2 * w, 3 * w, 3, stride=2, padding=1)
        self.encode_coarse = ResidualBlock(3 * w)
        self.encode_time = nn.Conv2d(12 * w, 4 * w, 3, padding=1)
        self.encode_last = ResidualBlock(4 * w)
        self.to_latent = nn.Conv2d(4 * w, 2 * latent_channels, 3, padding=1)
        with torch.no_grad():  # start with little noise on the latents, or the decoder learns to ignore them
            self.to_latent.bias[latent_channels:] = -5

    def encode(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`_Painter.encode`."""
        x = _per_frame(self.stem, F.pixel_unshuffle(_padded(video), 4))
        x = self.encode_coarse(_per_frame(self.encode_down, self.encode_fine(x)))
        groups = x.unflatten(1, (-1, 4)).flatten(2, 3)
        x = self.encode_last(_per_frame(self.encode_time, groups))
        mean, log_variance = _per_frame(self.to_latent, x).chunk(2, dim=2)
        return mean, log_variance.clamp(-12, 4)

    def decode(self, latents: Tensor, reference: Tensor) -> Tensor:
        """As :meth:`_Painter.decode`."""
        frames = 4 * latents.shape[1] - 3
        if reference.shape[1] != frames:
            raise ValueError(
                f'reference: expected {frames} frames for {latents.shape[1]} latents, got {reference.shape[1]}'
            )
        rough = rough_picture(reference)
        seen = torch.cat([rough, reference[:, :, 3:4], reference[:, :, 7:9]], dim=2)
        return rough + self.correction(latents, seen)


class LinearAutoencoder(_Painter):
    """Video in [-1, 1] to latents by principal components, and back before the carried background.

    A latent holds the first ``latent_channels`` components of a patch of 4 frames of 8x8 pixels; the decoder corrects
    the picture that they give, and says how much of each pixel is background instead. Of the reference it sees the
    background alone, so that hand and object were generated.
    """

    @register_to_config
    def __init__(self, latent_channels: int = 32, width: int = 32) -> None:
        super().__init__(latent_channels, width, seen=7, made=4)
        self.register_buffer('mean', torch.zeros(PATCH))
        self.register_buffer('basis', torch.eye(latent_channels, PATCH))

    def encode(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`_Painter.encode`; without any spread."""
        with torch.autocast(video.device.type, enabled=False):
            mean = ((patches(video) - self.mean) @ self.basis.T).permute(0, 1, 4, 2, 3)
        return mean, torch.full_like(mean, -30)

    def decode(self, latents: Tensor, reference: Tensor) -> Tensor:
        """As :meth:`_Painter.decode`; of the reference the first four channels are read."""
        with torch.autocast(latents.device.type, enabled=False):
            cells = latents.float().permute(0, 1, 3, 4, 2) @ self.basis + self.mean
        rough = F.pixel_shuffle(cells.unflatten(-1, (4, -1)).permute(0, 1, 4, 5, 2, 3), 8).flatten(1, 2)[:, 3:]
        background, known = reference[:, :, :3].float(), reference[:, :, 3:4].float()
        made = self.correction(latents, torch.cat([rough, background * known, known], dim=2))
        own, share = rough + made[:, :, :3], known * made[:, :, 3:].sigmoid()
        return own + share * (background - own)

    @torch.no_grad()
    def fit(self, patches: Tensor) -> None:
        """Set the components from patches [N, PATCH]."""
        rows = patches.double()
        self.mean.copy_(rows.mean(0))
        _, vectors = torch.linalg.eigh((rows - rows.mean(0)).T @ (rows - rows.mean(0)))
        self.basis.copy_(vectors.T.flip(0)[: len(self.basis)])


class PublishedAutoencoder(AutoencoderKLCogVideoX):
    """CogVideoX's own autoencoder behind the same two calls; it has no use for a reference."""

    def latents(self, video: Tensor) -> Tensor:
        """As :meth:`ReferenceAutoencoder.latents`."""
        mean = self.encode(video.transpose(1, 2)).latent_dist.mode()
        return mean.transpose(1, 2) * self.config.scaling_factor

    def image_latents(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """The first frame's latents as the published image-to-video pipeline makes them, ``[B, 1, C, H/8, W/8]``.

        They are drawn from the posterior, before the noise.
        """
        drawn = self.encode(image.transpose(1, 2)).latent_dist.sample(generator).transpose(1, 2)
        return drawn * self.config.scaling_factor

    def frames(self, latents: Tensor, reference: Tensor) -> Tensor:
        """As :meth:`ReferenceAutoencoder.frames`.

        The published decoder gives 4k+1 frames only for an odd number of latents (4k for an even one, the first frame
        four times as long): an even number is decoded with its last latent repeated, and cut.
        """
        count = latents.shape[1]
        whole = torch.cat([latents, latents[:, -1:]], dim=1) if count % 2 == 0 else latents
        video = self.decode((whole / self.config.scaling_factor).transpose(1, 2)).sample
        return video.transpose(1, 2)[:, : 4 * count - 3]


Autoencoder = ReferenceAutoencoder | LinearAutoencoder | PublishedAutoencoder


def _padded(video: Tensor) -> Tensor:
    """Whole groups of four frames ``[B, 4k+4, 3, H, W]`` of ``[B, 4k+1, 3, H, W]``: the first frame four times."""
    if video.shape[1] % 4 != 1:
        raise ValueError(f'video: expected 4k+1 frames, got {video.shape[1]}')
    return torch.cat([video[:, :1].expand(-1, 3, -1, -1, -1), video], dim=1)


def patches(video: Tensor) -> Tensor:
    """The patches of 4 frames of 8x8 pixels of a video ``[B, 4k+1, 3, H, W]``: ``[B, k+1, H/8, W/8, PATCH]``."""
    cells = F.pixel_unshuffle(_padded(video.float()), 8)
    return cells.unflatten(1, (-1, 4)).permute(0, 1, 4, 5, 2, 3).flatten(-2)


def _double(x: Tensor) -> Tensor:
    """Nearest-neighbour enlargement by two of ``[B, T, C, H, W]``."""
    return F.interpolate(x.flatten(0, 1), scale_factor=2, mode='nearest').unflatten(0, x.shape[:2])


def rough_picture(reference: Tensor) -> Tensor:
    """The picture that a reference gives without learning, ``[B, T, 3, H, W]``.

    The points where hand and object are, the background elsewhere.
    """
    front = reference[:, :, 7:8] + reference[:, :, 8:9]
    return (reference[:, :, 4:7] * front + reference[:, :, 0:3] * (1 - front)).float()
