"""Latents, points and prompts of a clip set, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch
from accelerate import Accelerator
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from hoigen.models.cogvideox import Autoencoder, rough_picture
from hoigen.video.data import ClipSet
from hoigen.video.inputs import PointInputs
from hoigen.video.model import Model
from hoigen.whole_files import whole_file

FORMAT = 4
"""Raised when the stored tensors change."""
POINT_FIELDS = tuple(field.name for field in fields(PointInputs))
DECODES = (
    'decoder.',
    'post_quant_conv.',
    'from_latent.',
    'latent_block.',
    'to_frames.',
    'reference_',
    'down_',
    'merge.',
    'coarse.',
    'up_',
    'mid.',
    'fine.',
    'to_rgb.',
)
"""Parts of an autoencoder that its latents do not depend on."""


def cache_key(model: Model) -> str:
    """A name for everything that the stored tensors depend on, besides the clip."""
    c = model.config
    digest = hashlib.sha256(json.dumps([FORMAT, c.cloud, c.tokens, model.text and [c.base, c.text]]).encode())
    tensors = {k: v for k, v in model.autoencoder.state_dict().items() if not k.startswith(DECODES)}
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class LatentSet:
    """The encoded clips of a set, one file each.

    A file is made anew when its clip has changed (size or time of change), and holds, as float16 where not integers:
    videos [3, F, C, h, w], scaled latents of the target, tracking and coloured videos; first_track [1, C, h, w], the
    first tracking frame encoded alone; clean_background [1, C, h, w], the scene without hand and object, and
    has_clean_background [] bool, whether the clip has one; mask [F, 1, h, w] uint8; the fields of
    :class:`hoigen.video.inputs.PointInputs`; text [S, D] and no_text [S, D] where the model reads text.
    """

    def __init__(self, clips: ClipSet, model: Model, accelerator: Accelerator, folder: Path | None = None) -> None:
        self.clips, self._key, self._folder = clips, cache_key(model), folder
        self._fill(model, accelerator)

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

    def _fill(self, model: Model, accelerator: Accelerator) -> None:
        """Encode what is not there yet, each process its share."""
        wanted = [i for i in range(len(self.clips)) if not self._is_there(i)]
        accelerator.wait_for_everyone()
        mine = wanted[accelerator.process_index :: accelerator.num_processes]
        if mine and model.text is not None:  # all at once: the text encoder is loaded for new prompts and then freed
            model.text.embed(sorted({'', *(self.clips.info(i)['prompt'] for i in mine)}))
        model.autoencoder.to(accelerator.device)
        for index in track(mine, description='encoding clips', disable=not (mine and accelerator.is_main_process)):
            path = self.path(index)
            path.parent.mkdir(parents=True, exist_ok=True)
            tensors = encode(self.clips, index, model, accelerator.device)
            with whole_file(path) as file:
                save_file(tensors, file, {'clip': self._stamp(index)})
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
def encode(clips: ClipSet, index: int, model: Model, device: torch.device) -> dict[str, Tensor]:
    """The tensors that :class:`LatentSet` keeps of one clip."""
    sample = clips.sample(index)
    tracking, background = clips.tracking(index), clips.clean_background(index)
    stills = (tracking[:, :1], tracking[:, :1] if background is None else background)
    videos = (sample.video, tracking, rough_picture(sample.reference), *stills)
    *latents, first, still = (encode_video(model.autoencoder, video.to(device)).cpu() for video in videos)
    points = clips.points(index, cloud=model.config.cloud, tokens=model.config.tokens)
    tensors = {
        'videos': torch.cat(latents),
        'first_track': first[0],
        'clean_background': still[0],
        'has_clean_background': torch.tensor(background is not None),
        'mask': latent_mask(sample.mask)[0].byte(),
        **{name: getattr(points, name)[0] for name in POINT_FIELDS},
    }
    if model.text is not None:
        tensors['text'], tensors['no_text'] = model.text.embed([clips.info(index)['prompt'], '']).cpu()
    halved: Callable[[Tensor], Tensor] = lambda t: t.half() if t.is_floating_point() else t  # noqa: E731
    return {name: halved(tensor).contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def encode_video(autoencoder: Autoencoder, video: Tensor) -> Tensor:
    """Scaled latents in float32; of float32 weights computed under bfloat16 autocast, else in the weights' type."""
    dtype = next(autoencoder.parameters()).dtype
    with torch.autocast(video.device.type, torch.bfloat16, enabled=dtype == torch.float32):
        return autoencoder.latents(video.to(dtype)).float()


def latent_mask(mask: Tensor) -> Tensor:
    """Hand-object mask [B, 4k+1, 1, H, W] to the latent grid [B, k+1, 1, H/8, W/8]: 1 where any of its pixels is."""
    padded = torch.cat([mask[:, :1].expand(-1, 3, -1, -1, -1), mask], dim=1)
    groups = padded.unflatten(1, (-1, 4)).amax(2)
    return F.max_pool2d(groups.flatten(0, 1), 8).unflatten(0, groups.shape[:2])
