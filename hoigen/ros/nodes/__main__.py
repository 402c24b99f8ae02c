"""``python -m hoigen.ros.nodes NODE [--ros-args ...]``: run one node."""

import sys
from importlib import import_module

sys.exit(import_module(f'hoigen.ros.nodes.{sys.argv.pop(1)}').main())
