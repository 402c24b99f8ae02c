"""The low-rank adapter that insertion trains on FLUX, and UNO's, from which it starts (SpatialHand, stage 0).

UNO's weights are named as in FLUX's first release, where the projections to queries, keys and values are one layer:
its one adapter becomes three, which share their first factor and have a third of the second each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from diffusers import FluxTransformer2DModel
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from hoigen.models.hub import ModelError
from hoigen.models.hub.published import read_files, refuse_misfits

NAME = 'insertion'
ADAPTED = (
    r'transformer_blocks\.\d+\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)'
    r'|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_out)'
)
"""The layers of FLUX that are adapted: attention's of all blocks, with what follows it in single ones."""
UNO = re.compile(r'(double|single)_blocks\.(\d+)\.processor\.(qkv|proj)_lora([12]?)\.(down|up)\.weight')
LAYERS = {
    ('double', 'qkv', '1'): ('attn.to_q', 'attn.to_k', 'attn.to_v'),
    ('double', 'proj', '1'): ('attn.to_out.0',),
    ('double', 'qkv', '2'): ('attn.add_q_proj', 'attn.add_k_proj', 'attn.add_v_proj'),
    ('double', 'proj', '2'): ('attn.to_add_out',),
    ('single', 'qkv', ''): ('attn.to_q', 'attn.to_k', 'attn.to_v'),
    ('single', 'proj', ''): ('proj_out',),
}
"""Where an adapter of UNO's belongs in a block; 1 is the image's stream, 2 the text's."""


def adapt(transformer: FluxTransformer2DModel, rank: int) -> None:
    """Put an adapter without storage on a transformer, in place; :func:`assign_adapter` gives it weights. Its scale is
    one."""
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=ADAPTED)
    inject_adapter_in_model(config, transformer, NAME, low_cpu_mem_usage=True)


def adapter(transformer: FluxTransformer2DModel) -> dict[str, Tensor]:
    """The adapter's weights as diffusers' pipelines read them: ``transformer.LAYER.lora_A.weight``."""
    return {
        f'transformer.{key.replace(f".{NAME}.", ".")}': value
        for key, value in transformer.state_dict().items()
        if '.lora_' in key
    }


def rank_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The rank of an adapter of these keys and shapes, either form; ModelError where they are none's."""
    ranks = {shape[0] for key, shape in shapes.items() if key.endswith(('.lora_A.weight', '.down.weight'))}
    if len(ranks) != 1:
        raise ModelError(f'expected the weights of an adapter of one rank, got ranks {sorted(ranks)}')
    return ranks.pop()


def assign_adapter(transformer: FluxTransformer2DModel, tensors: Mapping[str, Tensor], where: object) -> None:
    """Give an adapted transformer its adapter's weights, named as :func:`adapter` names them; all must fit."""
    want = adapter(transformer)
    refuse_misfits(where, {k: tuple(v.shape) for k, v in want.items()}, {k: tuple(v.shape) for k, v in tensors.items()})
    refuse_infinite(tensors, where)
    named = {
        re.sub(r'^transformer\.(.*\.lora_[AB])\.weight$', rf'\1.{NAME}.weight', key): value
        for key, value in tensors.items()
    }
    transformer.load_state_dict(named, strict=False, assign=True)


def refuse_infinite(tensors: Mapping[str, Tensor], where: object) -> None:
    """ModelError where any value is no number."""
    wrong = sorted(key for key, value in tensors.items() if not value.isfinite().all())
    if wrong:
        raise ModelError(f'{where}: expected finite values, got others in {len(wrong)} tensors: {wrong[:10]}')


def from_uno(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An adapter as UNO names it, as :func:`adapter` names it; ModelError for keys that are not UNO's."""
    renamed = {}
    for key, value in tensors.items():
        for name, part in _places(key, value):
            renamed[name] = part
    return renamed


def _places(key: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    found = UNO.fullmatch(key)
    layers = LAYERS.get((found[1], found[3], found[4])) if found else None
    if found is None or layers is None:
        raise ModelError(
            f"{key}: expected a weight of UNO's adapter, like double_blocks.0.processor.qkv_lora1.down.weight"
        )
    blocks = 'transformer_blocks' if found[1] == 'double' else 'single_transformer_blocks'
    parts = (value,) * len(layers) if found[5] == 'down' else value.chunk(len(layers))
    factor = 'lora_A' if found[5] == 'down' else 'lora_B'
    for layer, part in zip(layers, parts, strict=True):
        yield f'transformer.{blocks}.{found[2]}.{layer}.{factor}.weight', part.clone()


def blank_uno(folder: Path, width: int = 3072, double: int = 19, single: int = 38) -> nn.Module:
    """A module with the keys and shapes of UNO's adapter of FLUX.1-dev, of the rank that ``folder`` holds."""
    rank = rank_of(read_files(sorted(folder.glob('*.safetensors'))).shapes)

    def low(inner: int, outer: int) -> nn.Module:
        return nn.ModuleDict({'down': nn.Linear(inner, rank, bias=False), 'up': nn.Linear(rank, outer, bias=False)})

    def blocks(count: int, layers: Callable[[], dict[str, nn.Module]]) -> nn.Module:
        return nn.ModuleList(nn.ModuleDict({'processor': nn.ModuleDict(layers())}) for _ in range(count))

    return nn.ModuleDict(
        {
            'double_blocks': blocks(
                double,
                lambda: {
                    f'{kind}_lora{stream}': low(width, outer)
                    for stream in (1, 2)
                    for kind, outer in (('qkv', 3 * width), ('proj', width))
                },
            ),
            'single_blocks': blocks(
                single, lambda: {'qkv_lora': low(width, 3 * width), 'proj_lora': low(5 * width, width)}
            ),
        }
    )
