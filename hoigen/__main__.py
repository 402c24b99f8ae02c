"""``python -m hoigen`` is the ``hoigen`` command."""

import sys

from hoigen.cli import main

if __name__ == '__main__':
    sys.exit(main())
