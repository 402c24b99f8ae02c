"""Models of transformers from a folder of weights, every one of which must be there and fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from hoigen.models.hub.catalogue import ModelError


def pretrained(made: Any, folder: Path, *, whole: bool = True, **options: Any) -> Any:
    """``made.from_pretrained`` of safetensors in ``folder``, in evaluation mode; ModelError names every misfit.

    whole: the folder holds this model alone, no larger one that it is a part of.

    transformers renames old keys while it loads, and draws what is missing at random: only what it reports then counts.
    """
    from transformers.utils import logging  # takes seconds; who needs no such model does not wait for it

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        model, report = made.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f'{folder}: expected weights of {made.__name__} as safetensors, got: {str(error).splitlines()[0]}'
        ) from error
    finally:
        logging.set_verbosity(level)
    faults = [
        f'{kind.removesuffix("_keys")} {key}'
        for kind in ('missing_keys', 'mismatched_keys', *(('unexpected_keys',) if whole else ()))
        for key in sorted(map(str, report[kind]))
    ]
    if faults:
        raise ModelError(f'{folder}: {len(faults)} keys do not fit {made.__name__}, the first: {faults[:10]}')
    return model.eval().requires_grad_(False)
