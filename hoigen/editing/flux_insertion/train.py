"""``hoigen train insertion`` under a name that ``accelerate launch -m`` takes."""

from __future__ import annotations

import sys

import tyro

from hoigen.editing.flux_insertion.options import TrainInsertionConfig, recipe_of
from hoigen.editing.flux_insertion.training.stages import run


def main() -> int:
    """Train; 1 if it cannot go on."""
    try:
        run(
            tyro.cli(
                TrainInsertionConfig,
                default=recipe_of(sys.argv[1:]),
                prog='python -m hoigen.editing.flux_insertion.train',
            )
        )
    except (ValueError, RuntimeError, OSError) as error:
        print(f'hoigen train insertion: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
