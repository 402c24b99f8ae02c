"""``hoigen up`` with stand-ins for simulator, perception and model; takes its arguments."""

import sys
from functools import partial
from pathlib import Path

from hoigen.cli import main
from hoigen.ros import up

FAKE_NODE = (sys.executable, '-u', str(Path(__file__).parents[1] / 'ros' / 'fake_graph.py'))

if __name__ == '__main__':
    vars(up)['run'] = partial(up.run, node_command=FAKE_NODE)
    sys.exit(main(['up', *sys.argv[1:]]))
