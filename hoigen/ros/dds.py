"""The DDS settings under which hoigen's nodes run: room for images in Fast DDS's shared memory, this machine only."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from hoigen.resources import find

BYTES_PER_PROCESS = 36 << 20
"""What one process with the shipped profile takes of shared memory: its 32 MB segment, ports and a margin."""

_LOCK = re.compile('fast(dds|rtps)_[0-9a-z]{16}_el')
"""A file beside each shared-memory segment of Fast DDS, which its process holds locked while it lives."""
_YOUNG_S = 5.0
"""A process that has just made its segment may not have locked it yet."""

_PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')


def environment(
    processes: int = 8, inherited: Mapping[str, str] | None = None, shared_memory: Path = Path('/dev/shm')
) -> dict[str, str]:
    """The variables to add to the environment of child processes; what the user has set is left alone.

    processes: how many will share the memory. inherited: the environment that they get (default: this process's).
    Where ``shared_memory`` has no room for them (Docker gives a container 64 MB), Fast DDS's default transports stay:
    slower, and best-effort readers lose images, but hoigen's own streams are reliable and lose nothing.
    """
    inherited = os.environ if inherited is None else inherited
    added = {}
    if not any(name in inherited for name in _PROFILE_VARIABLES) and _free_bytes(shared_memory) >= (
        processes * BYTES_PER_PROCESS
    ):
        added['FASTDDS_DEFAULT_PROFILES_FILE'] = str(profile(inherited))
    if 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in inherited and 'ROS_LOCALHOST_ONLY' not in inherited:
        added['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    return added


def profile(inherited: Mapping[str, str] | None = None) -> Path:
    """The shipped profile for the installed Fast DDS; version 2 takes other words, and its package is fastrtps."""
    inherited = os.environ if inherited is None else inherited
    prefixes = map(Path, filter(None, inherited.get('AMENT_PREFIX_PATH', '').split(os.pathsep)))
    version_2 = any((prefix / 'share' / 'fastrtps').is_dir() for prefix in prefixes)
    return find('config/fastdds_2.xml' if version_2 else 'config/fastdds.xml')


def remove_leftovers(shared_memory: Path = Path('/dev/shm')) -> None:
    """Give back the segments of this user's processes that were killed: nothing else ever does, each has 33 MB."""
    for lock in shared_memory.glob('fast*_el'):
        try:
            about = lock.stat()
            if not _LOCK.fullmatch(lock.name) or about.st_uid != os.getuid() or time.time() - about.st_mtime < _YOUNG_S:
                continue
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.with_name(lock.name.removesuffix('_el')).unlink(missing_ok=True)
                lock.unlink()
        except OSError:  # its process lives, or another one cleans up
            continue


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free if folder.is_dir() else 0
