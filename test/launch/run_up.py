"""``hoigen up`` with stand-ins for simulator, perception and model; takes its arguments."""

import sys
from pathlib import Path

import tyro

from hoigen.cli import VERBS
from hoigen.ros import up

FAKE_NODE = (sys.executable, '-u', str(Path(__file__).parents[1] / 'ros' / 'fake_graph.py'))

if __name__ == '__main__':
    config = getattr(up, VERBS[f'up {sys.argv.pop(1)}'].config)
    sys.exit(up.run(tyro.cli(config), FAKE_NODE))
