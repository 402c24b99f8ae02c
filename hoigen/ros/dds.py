"""The DDS settings under which hoigen's nodes run: room for images in Fast DDS's shared memory, this machine only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from hoigen.resources import find

__all__ = ['BYTES_PER_PROCESS', 'environment']

BYTES_PER_PROCESS = 36 << 20
"""What one process with the shipped profile takes of shared memory: its 32 MB segment, ports and a margin."""

_PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')


def environment(processes: int = 8, inherited: Mapping[str, str] | None = None,
                shared_memory: Path = Path('/dev/shm')) -> dict[str, str]:
    """The variables to add to the environment of child processes; what the user has set is left alone.

    processes: how many will share the memory. inherited: the environment that they get (default: this process's).
    Where ``shared_memory`` has no room for them (Docker gives a container 64 MB), Fast DDS's default transports stay:
    slower, and best-effort readers lose images, but hoigen's own streams are reliable and lose nothing.
    """
    inherited = os.environ if inherited is None else inherited
    added = {}
    if not any(name in inherited for name in _PROFILE_VARIABLES) and _free_bytes(shared_memory) >= (
            processes * BYTES_PER_PROCESS):
        added['FASTDDS_DEFAULT_PROFILES_FILE'] = str(find('config/fastdds.xml'))
    if 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in inherited and 'ROS_LOCALHOST_ONLY' not in inherited:
        added['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    return added


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free if folder.is_dir() else 0
