"""What a training run shows of itself: every step in curves.jsonl and TensorBoard, curves.png, progress with ETA."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from hoigen.look.progress import bars
from hoigen.whole_files import whole_file

CURVES, PICTURE = 'curves.jsonl', 'curves.png'
LINE_EVERY_S = 60.0
"""How often a line is printed where there is no terminal to show a bar on."""
DRAW_EVERY_S = 30.0


class Curves:
    """The record of one stage, from ``first`` on: rows of later steps, which a killed run left, are dropped."""

    def __init__(self, folder: Path, name: str, first: int, steps: int) -> None:
        self._folder, self._name, self._steps = folder, name, steps
        rows = [row for row in read_curves(folder) if row['step'] <= first]
        with whole_file(folder / CURVES) as file:
            file.write_text(''.join(json.dumps(row) + '\n' for row in rows))
        self._file = (folder / CURVES).open('a')
        self._board = SummaryWriter(str(folder), purge_step=first + 1)
        self._first, self._began = first, time.monotonic()
        self._shown = self._drawn = self._step_began = self._began
        console = Console(markup=False)
        self._bar = bars(console, quiet=True)
        self._task = self._bar.add_task(name, total=steps, completed=first, note='')

    def __enter__(self) -> Curves:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._file.close()
        self._board.close()

    def add(self, step: int, terms: dict[str, float]) -> None:
        """The means of one step, which is the ``step``-th from 1."""
        now = time.monotonic()
        seconds, self._step_began = now - self._step_began, now
        self._file.write(json.dumps({'step': step, 'seconds': round(seconds, 4), **terms}) + '\n')
        self._file.flush()
        for key, value in terms.items():
            self._board.add_scalar(key, value, step)
        say = ' '.join(f'{key} {value:.4g}' for key, value in terms.items())
        self._bar.update(self._task, completed=step, note=say)
        if self._bar.disable and (now - self._shown > LINE_EVERY_S or step == self._steps):
            self._shown, pace = now, (now - self._began) / (step - self._first)
            print(
                f'{self._name} {step}/{self._steps} {say}, {pace:.2f} s a step, '
                f'{duration(pace * (self._steps - step))} left',
                flush=True,
            )

    def draw(self, step: int) -> None:
        """Draw the picture, if it was not drawn a moment ago, and always at the end."""
        if step == self._steps or time.monotonic() - self._drawn > DRAW_EVERY_S:
            draw_curves(read_curves(self._folder), self._name, self._folder / PICTURE)
            self._drawn = time.monotonic()


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min' if minutes >= 60 else f'{minutes} min'


def read_curves(folder: Path) -> list[dict[str, float]]:
    """The rows of a stage's curves.jsonl so far; the last line may be cut off."""
    path, rows = folder / CURVES, []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def draw_curves(rows: list[dict[str, float]], title: str, path: Path) -> None:
    """One panel for each term: every step faintly, its mean over the 4 % of the run around it boldly."""
    terms = list(dict.fromkeys(key for row in rows for key in row if key not in ('step', 'seconds')))
    figure = Figure(figsize=(8, 2.4 * max(1, len(terms))), layout='constrained')
    figure.suptitle(title)
    for axes, term in zip(figure.subplots(len(terms), 1, sharex=True, squeeze=False).flat, terms, strict=True):
        steps, values = np.array([(row['step'], row[term]) for row in rows if term in row]).T
        axes.plot(steps, values, color='#9db4d6', linewidth=0.6)
        axes.plot(steps, smoothed(values, max(1, len(values) // 50)), color='#1f4e9c', linewidth=1.6)
        axes.set_ylabel(term)
        if (values > 0).all():
            axes.set_yscale('log')
        axes.grid(alpha=0.3)
    figure.axes[-1].set_xlabel('step')
    with whole_file(path) as file:
        figure.savefig(file, dpi=110)


def smoothed(values: np.ndarray, half: int) -> np.ndarray:
    """Mean over up to ``half`` neighbours on either side."""
    total = np.concatenate([[0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(place - half, 0), np.minimum(place + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)
