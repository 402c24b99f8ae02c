"""``python -m hoigen.video.train`` is ``hoigen train video``, by a name that ``accelerate launch -m`` takes."""

from __future__ import annotations

import sys

import tyro

from hoigen.video.options import TrainConfig, recipe_of
from hoigen.video.training.stages import run


def main() -> int:
    """Train; 1 if it cannot go on."""
    try:
        run(tyro.cli(TrainConfig, default=recipe_of(sys.argv[1:]), prog='python -m hoigen.video.train'))
    except (ValueError, RuntimeError, OSError) as error:
        print(f'hoigen train video: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
