"""A model's configuration: one YAML of ``config/models``, or the one in a model's own folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from hoigen.resources import ResourceError, find
from hoigen.weights.catalogue import ModelError

if TYPE_CHECKING:
    import torch

CONFIG = 'model.yaml'


@dataclass(frozen=True)
class Memory:
    """Trade time for memory.

    device: cpu, cuda, cuda:1; auto is the GPU where there is one. weights: the type in which the transformer's weights
    are held; int8 halves its blocks, which still compute in bfloat16. offload: model keeps in the GPU's memory only the
    part that is at work (transformer or autoencoder); group only the block that is at work. With both, prompts are
    embedded on the CPU, each once. tiling: the autoencoder works on overlapping tiles, which changes the picture a
    little at their seams.
    """

    device: str = 'cpu'
    weights: Literal['float32', 'bfloat16', 'int8'] = 'bfloat16'
    offload: Literal['none', 'model', 'group'] = 'none'
    tiling: bool = False

    def __post_init__(self) -> None:
        if self.offload == 'group' and self.weights == 'int8':
            raise ModelError('memory: expected weights int8 or offload group, got both')

    def torch_device(self) -> torch.device:
        import torch  # takes seconds: not for --help of what has memory among its options

        if self.device == 'auto':
            return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        return torch.device(self.device)

    def text_device(self) -> torch.device:
        import torch

        return self.torch_device() if self.offload == 'none' else torch.device('cpu')

    def loading_device(self) -> torch.device:
        """Where the weights are read to: straight to the device where they stay, else to the CPU."""
        import torch

        return self.torch_device() if self.offload == 'none' and self.weights != 'int8' else torch.device('cpu')

    def dtype(self) -> torch.dtype:
        """The type in which the parts compute."""
        import torch

        return torch.float32 if self.weights == 'float32' else torch.bfloat16


@dataclass(frozen=True)
class ModelConfig:
    """One YAML of ``config/models``: the picture's size, the sampler and the parts' own configurations.

    base: where the published parts lie (backbone, autoencoder, text encoder), a folder or a repository of the hub; a
    model without it has weights of its own. control: the same for the trained branch. text: T5's configuration.
    """

    name: str
    licence: str
    height: int
    width: int
    frames: int
    steps: int
    cloud: int
    tokens: int
    transformer: dict[str, Any]
    autoencoder: dict[str, Any]
    scheduler: dict[str, Any]
    base: str | None = None
    control: str | None = None
    text: dict[str, Any] | None = None
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if self.frames % 4 != 1 or self.height % 16 or self.width % 16:
            raise ModelError(f'model {self.name}: expected 4k+1 frames and a size divisible by 16, '
                             f'got {self.frames} frames of {self.width}x{self.height}')


def read_config(model: str) -> ModelConfig:
    """The configuration of a model: ``config/models/MODEL.yaml``, or ``model.yaml`` where MODEL is a folder."""
    file = Path(model) / CONFIG
    if not file.is_file():
        try:
            file = find(f'config/models/{model}.yaml')
        except ResourceError:
            known = sorted(p.stem for p in find('config/models').glob('*.yaml'))
            raise ModelError(f'model: expected one of {known} or a folder with {CONFIG}, got {model!r}') from None
    fields = yaml.safe_load(file.read_text())
    return ModelConfig(**{**fields, 'memory': Memory(**fields.get('memory', {}))})


def save_config(config: ModelConfig, folder: Path) -> None:
    """Write ``model.yaml``, so that the folder is a model by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(yaml.safe_dump(asdict(config), sort_keys=False))
