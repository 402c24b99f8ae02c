"""Prints pytest's closing line of every part of a ctest log, and their total: python scripts/closing_lines.py LOG"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

OUTCOMES = ('passed', 'failed', 'errors', 'skipped')


def main(log: Path) -> None:
    text = log.read_text(errors='replace')
    lines = dict(re.findall(r'^(\d+): =+ (.* in [0-9.]+s(?: \([0-9:]+\))?) =+$', text, re.MULTILINE))
    total: Counter[str] = Counter()
    print()
    for number, name in re.findall(r'^ *Start +(\d+): (\S+)$', text, re.MULTILINE):
        line = lines.get(number, 'ended without a closing line: killed, or at its limit of time')
        print(f'{name:10} {line}')
        total.update(
            {
                outcome if outcome != 'error' else 'errors': int(count)
                for count, outcome in re.findall(r'(\d+) (\w+)', line)
            }
        )
    print('total      ' + ', '.join(f'{total[outcome]} {outcome}' for outcome in OUTCOMES))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
