"""``python -m hoigen.ros.nodes NODE [--ros-args ...]``: run one node."""

import signal
import sys
from importlib import import_module

signal.signal(signal.SIGINT, signal.SIG_DFL)  # interrupted before the node's own handler is there: end without a trace
sys.exit(import_module(f'hoigen.ros.nodes.{sys.argv.pop(1)}').main())
