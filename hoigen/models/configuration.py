"""What the configurations of all models have: use of memory, and reading them from YAML with clear errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml

from hoigen.models.hub.catalogue import ModelError
from hoigen.resources import ResourceError, find
from hoigen.whole_files import write_text

if TYPE_CHECKING:
    import torch

CONFIG = 'model.yaml'


Config = TypeVar('Config')


KINDS: dict[str, Any] = {
    'str': str,
    'int': int,
    'float': (int, float),
    'bool': bool,
    'dict[str, Any]': dict,
    'list[str]': list,
}
"""Types of fields by their annotation."""


@dataclass(frozen=True)
class Memory:
    """Trade time for memory."""

    device: str = 'cpu'
    """Device of the model: cpu, cuda, cuda:1, ...; auto: the GPU if there is one, else the CPU."""
    weights: Literal['float32', 'bfloat16', 'int8'] = 'bfloat16'
    """Type in which the transformer's weights are held; int8 halves its blocks, which still compute in bfloat16."""
    offload: Literal['none', 'model', 'group'] = 'none'
    """What the GPU's memory holds: none: all; model: only the part at work (transformer or autoencoder); group: only
    the block at work. With both of the latter, prompts are embedded on the CPU, each once."""
    tiling: bool = False
    """Let the autoencoder work on overlapping tiles, which changes the image a little at their seams."""

    def __post_init__(self) -> None:
        for name, known in (('weights', ('float32', 'bfloat16', 'int8')), ('offload', ('none', 'model', 'group'))):
            if getattr(self, name) not in known:
                raise ModelError(f'memory.{name}: expected one of {", ".join(known)}, got {getattr(self, name)!r}')
        if self.offload == 'group' and self.weights == 'int8':
            raise ModelError('memory: expected weights int8 or offload group, got both')

    def torch_device(self) -> torch.device:
        return device_of(self.device)

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


def device_of(name: str = 'auto') -> torch.device:
    """The device of a name (cpu, cuda, cuda:1, ...); auto: the GPU if there is one, else the CPU."""
    import torch  # takes seconds: not for --help of what has memory among its options

    return torch.device(name if name != 'auto' else 'cuda' if torch.cuda.is_available() else 'cpu')


def named_config(kind: Callable[..., Config], catalogue: str, model: str) -> Config:
    """The configuration of a model: ``CATALOGUE/MODEL.yaml``, or ``model.yaml`` where MODEL is a folder."""
    file = Path(model) / CONFIG
    if not file.is_file():
        try:
            file = find(f'{catalogue}/{model}.yaml')
        except ResourceError:
            known = sorted(p.stem for p in find(catalogue).glob('*.yaml'))
            raise ModelError(f'model: expected one of {known} or a folder with {CONFIG}, got {model!r}') from None
    return config_of(kind, file)


def save_config(config: Any, folder: Path) -> None:
    """Write ``model.yaml``, so that the folder is a model by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, yaml.safe_dump(asdict(config), sort_keys=False))


def config_of(kind: Callable[..., Config], file: Path) -> Config:
    """The configuration that a YAML file holds; ModelError names the file and the fields that are wrong."""
    try:
        given = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, 'problem_mark', None)
        where = '' if mark is None else f' in line {mark.line + 1}'
        why = ' '.join(str(getattr(error, 'problem', None) or error).split())
        raise ModelError(f'{file}: expected YAML, got: {why}{where}') from error
    if not isinstance(given, dict):
        raise ModelError(f'{file}: expected fields and their values, got {type(given).__name__}')
    wanted = inspect.signature(kind).parameters
    unknown = sorted(map(str, given.keys() - wanted.keys()))
    lacks = [name for name, field in wanted.items() if field.default is field.empty and name not in given]
    if unknown or lacks:
        raise ModelError(f'{file}: expected the fields of a model, missing {lacks}, unknown {unknown}')
    wrong = [
        f'{name}: expected {wanted[name].annotation}, got {value!r}'
        for name, value in given.items()
        if not _is_of(value, str(wanted[name].annotation))
    ]
    if wrong:
        raise ModelError(f'{file}: {"; ".join(wrong)}')
    try:
        return kind(**{**given, 'memory': Memory(**given.get('memory') or {})})
    except ModelError as error:
        raise ModelError(f'{file}: {error}') from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:  # a field of another kind
        raise ModelError(f'{file}: expected the configuration of a model, got: {error}') from error


def _is_of(value: object, annotation: str) -> bool:
    """Whether a value is of a field's type, as far as that is a plain one."""
    kind = KINDS.get(annotation.removesuffix(' | None'))
    return kind is None or isinstance(value, kind) or (value is None and annotation.endswith(' | None'))


@contextmanager
def parts_of(model: str) -> Iterator[None]:
    """Where networks are made of a model's configuration: what they cannot be made of is told with its name."""
    try:
        yield
    except (TypeError, KeyError, ValueError, AttributeError, ZeroDivisionError, AssertionError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f'model {model}: expected parts as its {CONFIG} can describe them, got: {told}') from error
