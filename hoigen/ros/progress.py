"""Shows how a job goes: bars on a terminal, a line when an episode is recorded everywhere; and how it ended."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from hoigen.episodes.report import write_report
from hoigen.look.progress import bars

if TYPE_CHECKING:
    from hoigen.ros.conductor import Progress


class ProgressDisplay:
    """Two bars: episodes recorded, with the time that the rest will take, and steps of the clip in the making."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun_at = time.monotonic()
        self._recorded = self._rejected = self._not_admitted = 0
        self._reason = ''
        self._noticed: set[str] = set()
        self._bars = bars(console, quiet=True)
        self._job = self._bars.add_task('episodes', total=None, note='')
        self._clip = self._bars.add_task('clip', total=None, note='waiting')

    def __enter__(self) -> ProgressDisplay:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        """Draw where the job stands."""
        for notice in [notice for notice in progress.notices if notice not in self._noticed]:
            self._noticed.add(notice)
            self._console.print(notice, markup=False, soft_wrap=True)
        elapsed_s = time.monotonic() - self._begun_at
        of = '' if progress.planned is None else f' of {progress.planned}'
        if progress.recorded > self._recorded:
            self._recorded = progress.recorded
            self._console.print(
                f'{progress.recorded}{of} episodes recorded after {elapsed_s:.0f} s, the last in {progress.bag}',
                markup=False,
                soft_wrap=True,
            )
        if progress.rejected > self._rejected:
            self._rejected = progress.rejected
            self._console.print(
                f'{progress.rejected}{of} episodes rejected (episode_NNNN.rejected): their fidelity was too low with '
                'every seed, the report shows the best',
                markup=False,
                soft_wrap=True,
            )
        if len(progress.not_admitted) > self._not_admitted:
            self._not_admitted = len(progress.not_admitted)
            self._console.print(
                f'{self._not_admitted}{of} episodes not recorded, the last because: {progress.not_admitted[-1]} '
                '(the log of episode_recorder has all)',
                markup=False,
                soft_wrap=True,
            )
        if progress.skipped and progress.reason != self._reason:
            self._reason = progress.reason
            self._console.print(
                f'a stretch of the recording gives no clip: {progress.reason}', markup=False, soft_wrap=True
            )
        self._bars.update(
            self._job,
            completed=progress.done,
            total=progress.planned,
            note=_left(elapsed_s, progress.done, progress.planned),
        )
        note = f'episode {progress.episode}: {progress.eta_s:.0f} s left' if progress.steps else 'waiting'
        self._bars.update(self._clip, completed=progress.step, total=progress.steps or None, note=note)


def _left(elapsed_s: float, done: int, planned: int | None) -> str:
    if not done or planned is None:
        return ''
    return f'about {elapsed_s / done * (planned - done):.0f} s left'


def conclude(progress: Progress, out: Path, console: Console) -> int:
    """Write the report of a job that has ended, and say what was not as it should; 0, or 1 if nothing was recorded."""
    if progress.fault:
        console.print(f'the recording is damaged: {progress.fault}', style='yellow', markup=False, soft_wrap=True)
    if progress.skipped:
        console.print(
            f'{progress.skipped} of {progress.planned} stretches gave no clip, the last because: {progress.reason}',
            style='yellow',
            markup=False,
            soft_wrap=True,
        )
    if progress.recorded + progress.rejected:
        write_report(out)
    return 0 if progress.recorded else 1
