"""What a child process that opens a file may use, set before anything of the file is read."""

from __future__ import annotations

import resource
from dataclasses import dataclass

MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the child process may use before it is ended."""

    memory_mb: int = 4096
    """Address space of the process and size of any file it writes, MB, at least 1024."""
    timeout_s: float = 60.0
    """Time for one frame, and for opening the recording, seconds."""
    pixels: int = 64_000_000
    """Pixels of one image as it is stored."""

    def __post_init__(self) -> None:
        for name, least in (('memory_mb', 1024), ('timeout_s', 1e-3), ('pixels', 1)):
            if not getattr(self, name) >= least:
                raise ValueError(f'{name}: expected at least {least}, got {getattr(self, name)}')


def limit(limits: Limits) -> None:
    """Bind this process: memory, size of files, no core dumps, and processor time until the first frame."""
    size = limits.memory_mb * MB
    for kind, value in ((resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, size), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))
    allow_time(limits.timeout_s)


def allow_time(seconds: float) -> None:
    """This much processor time from now on: a decoder that hangs ends even when its parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
