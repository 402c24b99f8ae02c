"""A DDS domain for this process alone, whatever else is tested on this machine at the same time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from functools import cache
from pathlib import Path

DOMAINS = range(1, 100)


@cache
def own_domain() -> str:
    """The domain as ROS_DOMAIN_ID has it; held until this process ends, by a lock on a file in the temporary folder."""
    for domain in DOMAINS:
        held = os.open(Path(tempfile.gettempdir()) / f'hoigen_test_domain_{domain}', os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return str(domain)
        except BlockingIOError:
            os.close(held)
    raise RuntimeError(f'ROS_DOMAIN_ID: expected a free one of {len(DOMAINS)}, got none; end other test runs')
