"""``python -m hoigen.ros.nodes NODE [--ros-args ...]``: run one node."""

import os
import signal
import sys
from importlib import import_module

from hoigen.ros.interrupts import INTERRUPTS, ignore_interrupts


def run(node: str) -> int:
    """Run a node; its exit status. Interrupted, it ends with 0 and without a trace, also while it is still imported."""
    for number in INTERRUPTS:
        signal.signal(number, lambda *_: os._exit(0))
    status: int = import_module(f'hoigen.ros.nodes.{node}').main()
    ignore_interrupts()
    return status


if __name__ == '__main__':
    sys.exit(run(sys.argv.pop(1)))
