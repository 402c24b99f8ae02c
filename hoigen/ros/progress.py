"""Shows how a job goes: bars on a terminal, a line when an episode is recorded everywhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from hoigen.ros.conductor import Progress


class ProgressDisplay:
    """Two bars: episodes recorded, with the time that the rest will take, and steps of the clip in the making."""

    def __init__(self, console: Console, episodes: int) -> None:
        self._console, self._episodes = console, episodes
        self._begun_at = time.monotonic()
        self._recorded = self._rejected = 0
        self._bars = Bars(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                          TextColumn('{task.fields[note]}'), console=console, disable=not console.is_terminal)
        self._job = self._bars.add_task('episodes', total=episodes, note='')
        self._clip = self._bars.add_task('clip', total=None, note='simulating')

    def __enter__(self) -> ProgressDisplay:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        """Draw where the job stands."""
        elapsed_s = time.monotonic() - self._begun_at
        if progress.recorded > self._recorded:
            self._recorded = progress.recorded
            self._console.print(f'{progress.recorded} of {self._episodes} episodes recorded after {elapsed_s:.0f} s, '
                                f'the last in {progress.bag}', markup=False, soft_wrap=True)
        if progress.rejected > self._rejected:
            self._rejected = progress.rejected
            self._console.print(f'{progress.rejected} of {self._episodes} episodes rejected: their fidelity was too '
                                'low with every seed, the report says more', markup=False, soft_wrap=True)
        done = progress.recorded + progress.rejected
        self._bars.update(self._job, completed=done, note=self._left(elapsed_s, done))
        note = f'episode {progress.episode}: {progress.eta_s:.0f} s left' if progress.steps else 'waiting'
        self._bars.update(self._clip, completed=progress.step, total=progress.steps or None, note=note)

    def _left(self, elapsed_s: float, done: int) -> str:
        if not done:
            return ''
        return f'about {elapsed_s / done * (self._episodes - done):.0f} s left'
