"""Latents, points and prompts of a clip set, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import torch
from accelerate import Accelerator
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from hoigen.video.autoencoder import Autoencoder, rough_picture
from hoigen.video.data import ClipSet
from hoigen.video.inputs import PointInputs

POINT_FIELDS = tuple(field.name for field in fields(PointInputs))
DECODES = ('decoder.', 'post_quant_conv.', 'from_latent.', 'latent_block.', 'to_frames.', 'reference_', 'down_',
           'merge.', 'coarse.', 'up_', 'mid.', 'fine.', 'to_rgb.')
"""Parts of an autoencoder that its latents do not depend on."""


class PromptEncoder(Protocol):
    """Embeds prompts, ``[B, S, D]``."""

    def embed(self, prompts: list[str]) -> Tensor: ...


@dataclass(frozen=True)
class Encoders:
    """What clips are encoded with: the autoencoder, the text encoder if the model reads text, and the cloud's size."""

    autoencoder: Autoencoder
    text: PromptEncoder | None
    cloud: int
    tokens: int

    def key(self) -> str:
        """A name for everything that the stored tensors depend on, besides the clip."""
        digest = hashlib.sha256(f'{self.cloud} {self.tokens}'.encode())
        tensors = {k: v for k, v in self.autoencoder.state_dict().items() if not k.startswith(DECODES)}
        if self.text is not None:
            tensors['text of no words'] = self.text.embed([''])
        for name, tensor in sorted(tensors.items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]


class LatentSet:
    """The encoded clips of a set, one file each.

    A file is made anew when its clip has changed (size or time of change), and holds, as float16 where not integers:
    videos [3, F, C, h, w], scaled latents of the target, tracking and coloured videos; mask [F, 1, h, w] uint8; the
    fields of :class:`hoigen.video.inputs.PointInputs`; text [S, D] and no_text [S, D] where the model reads text.
    """

    def __init__(self, clips: ClipSet, encoders: Encoders, accelerator: Accelerator,
                 folder: Path | None = None) -> None:
        self.clips, self._key = clips, encoders.key()
        self._folder = folder
        self._fill(encoders, accelerator)

    def __len__(self) -> int:
        return len(self.clips)

    def name(self, index: int) -> str:
        return self.clips.name(index)

    def order(self, seed: int, count: int):
        return self.clips.order(seed, count)

    def path(self, index: int) -> Path:
        """Where the clip's file is: in its own folder's ``latents-KEY`` unless another folder was given."""
        clip = self.clips.paths[index]
        name = f'latents-{self._key}'
        if self._folder is None:
            return clip.parent / name / clip.name
        origin = hashlib.sha256(str(clip.parent.resolve()).encode()).hexdigest()[:8]
        return self._folder / name / f'{origin}-{clip.name}'

    def load(self, index: int) -> dict[str, Tensor]:
        """The clip's tensors, float32 where they were float16."""
        with safe_open(self.path(index), framework='pt') as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
        tensors = {k: v.float() if v.dtype == torch.float16 else v for k, v in tensors.items()}
        tensors['target'], tensors['tracking'], tensors['coloured'] = tensors.pop('videos')
        return tensors

    def _fill(self, encoders: Encoders, accelerator: Accelerator) -> None:
        """Encode what is not there yet, each process its share."""
        wanted = [i for i in range(len(self.clips)) if not self._is_there(i)]
        accelerator.wait_for_everyone()
        mine = wanted[accelerator.process_index::accelerator.num_processes]
        encoders.autoencoder.to(accelerator.device)
        for index in track(mine, description='encoding clips', disable=not (mine and accelerator.is_main_process)):
            path = self.path(index)
            path.parent.mkdir(parents=True, exist_ok=True)
            tensors = encode(self.clips, index, encoders, accelerator.device)
            partial = path.with_suffix('.partial')
            save_file(tensors, partial, {'clip': self._stamp(index)})
            partial.rename(path)
        accelerator.wait_for_everyone()

    def _is_there(self, index: int) -> bool:
        if not self.path(index).is_file():
            return False
        with safe_open(self.path(index), framework='pt') as file:
            return file.metadata()['clip'] == self._stamp(index)

    def _stamp(self, index: int) -> str:
        facts = self.clips.paths[index].stat()
        return json.dumps([facts.st_size, facts.st_mtime_ns])


@torch.no_grad()
def encode(clips: ClipSet, index: int, encoders: Encoders, device: torch.device) -> dict[str, Tensor]:
    """The tensors that :class:`LatentSet` keeps of one clip."""
    sample = clips.sample(index)
    videos = (sample.video, clips.tracking(index), rough_picture(sample.reference))
    with torch.autocast(device.type, torch.bfloat16):
        latents = torch.cat([encoders.autoencoder.latents(video.to(device)).float().cpu() for video in videos])
    points = clips.points(index, cloud=encoders.cloud, tokens=encoders.tokens)
    tensors = {'videos': latents, 'mask': latent_mask(sample.mask)[0].byte(),
               **{name: getattr(points, name)[0] for name in POINT_FIELDS}}
    if encoders.text is not None:
        tensors['text'], tensors['no_text'] = encoders.text.embed([clips.info(index)['prompt'], '']).cpu()
    halved: Callable[[Tensor], Tensor] = lambda t: t.half() if t.is_floating_point() else t  # noqa: E731
    return {name: halved(tensor).contiguous() for name, tensor in tensors.items()}


def latent_mask(mask: Tensor) -> Tensor:
    """Hand-object mask [B, 4k+1, 1, H, W] to the latent grid [B, k+1, 1, H/8, W/8]: 1 where any of its pixels is."""
    padded = torch.cat([mask[:, :1].expand(-1, 3, -1, -1, -1), mask], dim=1)
    groups = padded.unflatten(1, (-1, 4)).amax(2)
    return F.max_pool2d(groups.flatten(0, 1), 8).unflatten(0, groups.shape[:2])
