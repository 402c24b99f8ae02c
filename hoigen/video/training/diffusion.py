"""Train the DiT and its 3D control branch on latents, with the mask diffusion loss (HVG-3D, key design 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import CogVideoXDPMScheduler
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from hoigen.video.autoencoder import ReferenceAutoencoder, rough_picture
from hoigen.video.data import ClipFolder
from hoigen.video.denoise import predict
from hoigen.video.inputs import PointInputs
from hoigen.video.training.loop import LoopConfig, train
from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame


@dataclass(frozen=True)
class DiffusionLoss:
    """Loss and dropout of the diffusion stage.

    drop_condition: chance to leave out each condition of a clip; drop_control: chance to leave out the whole branch.
    terminal: share of samples at the last, pure-noise timestep, where few-step sampling starts. train_backbone: the
    tiny backbone has no public pre-training, so it learns with its branch; at full size only the branch learns.
    """

    drop_condition: float = 0.1
    drop_control: float = 0.1
    terminal: float = 0.4
    train_backbone: bool = True


@dataclass(frozen=True)
class LatentBatch:
    """Scaled latents [B, F, C, h, w] of target, tracking and coloured videos; mask [B, F, 1, h, w]; points."""

    target: Tensor
    tracking: Tensor
    coloured: Tensor
    mask: Tensor
    points: PointInputs

    def control(self) -> Control:
        return Control(with_first_frame(self.tracking), self.coloured, self.points)


class LatentClips:
    """A clip folder's latents in memory as float16, encoded once."""

    def __init__(self, autoencoder: ReferenceAutoencoder, clips: ClipFolder, *, cloud: int, tokens: int) -> None:
        self._rows = [self._encode(autoencoder, clips, i, cloud, tokens)
                      for i in track(range(len(clips)), description='encoding latents')]

    @staticmethod
    @torch.no_grad()
    def _encode(autoencoder: ReferenceAutoencoder, clips: ClipFolder, index: int, cloud: int,
                tokens: int) -> tuple[Tensor, Tensor, PointInputs]:
        sample = clips.sample(index)
        videos = torch.cat([sample.video, clips.tracking(index), rough_picture(sample.reference)])
        with torch.autocast('cpu', torch.bfloat16):
            latents = autoencoder.latents(videos)
        points = clips.points(index, cloud=cloud, tokens=tokens)
        return latents.half(), latent_mask(sample.mask), points.map(lambda t: t.half() if t.is_floating_point() else t)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: list[int]) -> LatentBatch:
        rows = [self._rows[i] for i in indices]
        target, tracking, coloured = torch.stack([r[0].float() for r in rows], 1)
        points = PointInputs(*(torch.cat([_float(getattr(r[2], name)) for r in rows])
                               for name in ('points', 'role', 'query', 'pixels', 'depth', 'visible')))
        return LatentBatch(target, tracking, coloured, torch.cat([r[1] for r in rows]), points)


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def latent_mask(mask: Tensor) -> Tensor:
    """Hand-object mask [B, 4k+1, 1, H, W] to the latent grid [B, k+1, 1, H/8, W/8]: 1 where any of its pixels is."""
    padded = torch.cat([mask[:, :1].expand(-1, 3, -1, -1, -1), mask], dim=1)
    groups = padded.unflatten(1, (-1, 4)).amax(2)
    return F.max_pool2d(groups.flatten(0, 1), 8).unflatten(0, groups.shape[:2])


def masked_velocity_loss(predicted: Tensor, velocity: Tensor, mask: Tensor) -> Tensor:
    """The mask diffusion loss ``|| (Z_gt - Z_eps) * (1 + M) ||^2`` (HVG-3D), on CogVideoX's velocities."""
    return ((predicted - velocity) * (1 + mask)).square().mean()


def train_diffusion(model: ControlledCogVideoX, clips: LatentClips, scheduler: CogVideoXDPMScheduler, folder: Path,
                    loop: LoopConfig, loss: DiffusionLoss) -> None:
    """Train in place; ``model`` ends with the averaged weights."""

    def step(_: int, generator: torch.Generator) -> dict[str, Tensor]:
        indices = torch.randint(len(clips), (loop.batch,), generator=generator).tolist()
        batch = clips.batch(indices)
        timestep = torch.randint(scheduler.config.num_train_timesteps, (loop.batch,), generator=generator)
        last = torch.rand(loop.batch, generator=generator) < loss.terminal
        timestep = torch.where(last, scheduler.config.num_train_timesteps - 1, timestep)
        noise = torch.randn(batch.target.shape, generator=generator)
        noisy = scheduler.add_noise(batch.target, noise, timestep)
        kept = (torch.rand(4, loop.batch, generator=generator)
                >= torch.tensor([loss.drop_condition] * 3 + [loss.drop_control])[:, None]).float()
        tracking, coloured, strength = (k[:, None, None, None, None] for k in (kept[0], kept[1], kept[3]))
        seen = replace(batch.points, visible=batch.points.visible & (kept[2] > 0)[:, None, None])
        control = Control(with_first_frame(batch.tracking) * tracking, batch.coloured * coloured, seen)
        predicted = predict(model, noisy, batch.target[:, :1], timestep, control, strength[..., 0, 0])
        velocity = scheduler.get_velocity(batch.target, noise, timestep)
        total = masked_velocity_loss(predicted.float(), velocity, batch.mask)
        at_end = (predicted[last].float() - velocity[last]).square().mean() if last.any() else total.detach()
        return {'loss': total, 'terminal': at_end}

    parameters = list(model.parameters()) if loss.train_backbone else model.control_parameters()
    if not loss.train_backbone:
        model.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
    total, trained = (sum(p.numel() for p in ps) for ps in (model.parameters(), parameters))
    print(f'parameters: {trained / 1e6:.2f} M trained, {(total - trained) / 1e6:.2f} M frozen')
    train('diffusion', model, parameters, step, folder, loop)

