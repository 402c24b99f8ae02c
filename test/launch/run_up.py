"""``hoigen up`` with stand-ins for simulator and model; takes its arguments."""

import sys
from pathlib import Path

import tyro

from hoigen.ros.up import UpConfig, run

FAKE_NODE = (sys.executable, '-u', str(Path(__file__).parents[1] / 'ros' / 'fake_graph.py'))

if __name__ == '__main__':
    sys.exit(run(tyro.cli(UpConfig), FAKE_NODE))
