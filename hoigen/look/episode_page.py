"""The page of a run's episodes, of one file for each of them, which is made once.

Of a short run the page holds everything, and can be mailed; of a long one only the first episodes' images: those of the
others are loaded from their files, beside the page, when they come into view.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2.utils import htmlsafe_json_dumps

from hoigen.look.images import data_uri
from hoigen.look.pages import JSON, provenance_in_words, write_html
from hoigen.records import Labels, Provenance
from hoigen.whole_files import whole_file, write_text

LOSSLESS_PIXELS = 256 * 256
"""Generated images up to this size are kept without loss: a viewer judges the generator, not the file format."""
INSIDE_BYTES = 12_000_000
"""Images of so many bytes stand in the page; those of further episodes beside it."""
ABOUT, RECEIVE = '// ', 'receive('
"""How the two lines of an episode's file begin, which is a script: what is known of it, and its images."""

Picture = np.ndarray | None
"""[H,W,3] uint8; None where the recording has no image of a frame."""


@dataclass(frozen=True)
class EpisodeView:
    """T frames of an episode as a person is shown them; every sequence's entry t belongs to ``stamps_ns[t]``.

    panels: by name T images of the same view: source, what the model read (points, tracking, coloured) or else of the
    scene (mask, depth), generated. edited: whether the generated ones are the source with an object put in. fidelity:
    by name (value, outline, motion) T numbers in [0, 1], None where nothing was generated or measured. counts: messages
    by topic. faults: what is wrong with the recording. rejection: why the generated frames may not be kept. footage:
    whether the scene was found in a recording. conditions: how they were found; None of a simulated scene.
    """

    name: str
    stamps_ns: tuple[int, ...]
    panels: dict[str, Sequence[Picture]]
    edited: bool
    labels: tuple[Labels, ...]
    fidelity: dict[str, tuple[float | None, ...]]
    provenance: Provenance | None
    camera_size: tuple[int, int]
    counts: dict[str, int]
    size_bytes: int
    faults: tuple[str, ...]
    rejection: str
    footage: bool
    conditions: Provenance | None


def write_part(file: Path, view: EpisodeView, of: str) -> None:
    """Write an episode's file; ``of`` says what it is made of, so that one sees when it has changed."""
    panels = {
        name: [
            None if image is None else data_uri(image, None if name == 'generated' and _small(image) else 82)
            for image in images
        ]
        for name, images in view.panels.items()
    }
    about = htmlsafe_json_dumps({'of': of, 'content': _content(view)}, **JSON)
    write_text(file, f'{ABOUT}{about}\n{RECEIVE}{json.dumps(file.name)}, {htmlsafe_json_dumps(panels, **JSON)});\n')


def made_of(file: Path) -> str:
    """What an episode's file was made of; '' where there is none."""
    try:
        return _about(file)['of']
    except (OSError, ValueError, KeyError):
        return ''


def write_page(page: Path, title: str, episodes: Iterable[Path | tuple[str, str]]) -> None:
    """Write the page of episodes' files, all in one folder beside it; a tuple is (name, error) of one without."""
    with whole_file(page) as file, file.open('w', encoding='utf-8') as out:
        write_html(out, 'look/page/page.html', title=title, episodes=_contents(episodes))


def _contents(episodes: Iterable[Path | tuple[str, str]]) -> Iterator[dict[str, Any]]:
    inside = 0
    for episode in episodes:
        if isinstance(episode, tuple):
            yield {'name': episode[0], 'error': episode[1]}
            continue
        inside += episode.stat().st_size
        more = (
            {'panels': _panels(episode)}
            if inside <= INSIDE_BYTES
            else {'file': f'{episode.parent.name}/{episode.name}'}
        )
        yield _about(episode)['content'] | more


def _about(file: Path) -> dict[str, Any]:
    with file.open(encoding='utf-8') as lines:
        return json.loads(lines.readline().removeprefix(ABOUT))


def _panels(file: Path) -> dict[str, Any]:
    script = file.read_text('utf-8').splitlines()[1]
    return json.loads(script[script.index(', ') + 2 : -len(');')])


def _small(image: np.ndarray) -> bool:
    return image.shape[0] * image.shape[1] <= LOSSLESS_PIXELS


def _content(view: EpisodeView) -> dict[str, Any]:
    """The numbers and words of an episode, as JSON."""
    start = view.stamps_ns[0]
    return {
        'name': view.name,
        'task': view.labels[0].task,
        'episode': view.labels[0].episode,
        'stamps': [f'{stamp / 1e9:.9f}' for stamp in view.stamps_ns],
        'times': [(stamp - start) / 1e9 for stamp in view.stamps_ns],
        'sizes': {name: _size(pictures) for name, pictures in view.panels.items()} | {'source': view.camera_size},
        'edited': view.edited,
        'fidelity': {
            name: [None if value is None else round(value, 4) for value in scores]
            for name, scores in view.fidelity.items()
        },
        'frames': [_labels(labels) for labels in view.labels],
        'joints': view.labels[0].joints.names,
        'actions': [' '.join(row) for row in view.labels[0].rows['action']],
        'footage': view.footage,
        'conditions': provenance_in_words(view.conditions),
        'provenance': provenance_in_words(view.provenance),
        'counts': view.counts,
        'bytes': view.size_bytes,
        'faults': view.faults,
        'rejection': view.rejection,
    }


def _size(pictures: Iterable[Picture]) -> tuple[int, int] | None:
    return next(((picture.shape[1], picture.shape[0]) for picture in pictures if picture is not None), None)


def _labels(labels: Labels) -> dict[str, Any]:
    pose = labels.T_world_object
    return {
        'position': None if pose is None else _numbers(pose[:3, 3]),
        'rotation': None if pose is None else [_numbers(row) for row in pose[:3, :3]],
        'visible': [None if np.isnan(part) else round(float(part), 4) for part in labels.objects.visibility[:1]],
        'forces': _numbers(labels.contacts.forces_n),
        'action': _numbers(labels.action.values),
        'joints': _numbers(labels.joints.positions),
        'frame': labels.frame,
    }


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
