"""``python -m hoigen.ros.nodes NODE [--ros-args ...]``: run one node."""

import os
import signal
import sys
from importlib import import_module

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def run(node: str) -> int:
    """Run a node; its exit status. Interrupted, it ends with 0 and without a trace, also while it is still imported."""
    for number in INTERRUPTS:
        signal.signal(number, lambda *_: os._exit(0))
    status: int = import_module(f'hoigen.ros.nodes.{node}').main()
    for number in INTERRUPTS:  # a second one, of the terminal and of launch, must not end what is ending already
        signal.signal(number, signal.SIG_IGN)
    return status


if __name__ == '__main__':
    sys.exit(run(sys.argv.pop(1)))
