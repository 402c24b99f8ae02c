"""The report as one HTML file: images, numbers, styles and the player inside it, nothing from elsewhere.

Of a long run only the first episodes' images are inside; those of the others stand in files beside the page, which
loads them when they come into view.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from hoigen.episodes.topics import MESH_ASSETS
from hoigen.episodes.view import EpisodeView, Picture
from hoigen.records import Labels, Provenance

__all__ = ['Shown', 'provenance_in_words', 'show', 'write_html', 'write_page']

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.policies['json.dumps_kwargs'] = {'allow_nan': False, 'separators': (',', ':')}
LOSSLESS_PIXELS = 256 * 256
"""Generated images up to this size are kept without loss: a viewer judges the generator, not the file format."""
INSIDE_BYTES = 12_000_000
"""Images of so many bytes stand in the page; those of further episodes beside it."""


@dataclass(frozen=True)
class Shown:
    """What the page shows of an episode: JSON, and by panel its T images as data URIs, None where one is missing."""

    content: dict[str, Any]
    panels: dict[str, list[str | None]]


def write_page(out: TextIO, title: str, episodes: Iterable[Shown | tuple[str, str]], beside: Path) -> None:
    """Write the page; episodes are asked for one by one. A tuple is (name, error) of a bag that cannot be shown.

    beside: folder for the images that are not inside, made when there are such; it is named ``beside.stem`` in the
    page.
    """
    write_html(out, 'episodes/page/page.html', title=title, episodes=_contents(episodes, beside))


def write_html(out: TextIO, template: str, **content: object) -> None:
    """Write a page of a template of this package, its path in it; iterables in ``content`` are consumed on the way."""
    out.writelines(_PAGES.get_template(template).generate(content))


def _contents(episodes: Iterable[Shown | tuple[str, str]], beside: Path) -> Iterator[dict[str, Any]]:
    """What the page holds of each episode; panels for which it has no room are written beside it."""
    inside = 0
    for number, episode in enumerate(episodes):
        if isinstance(episode, tuple):
            yield {'name': episode[0], 'error': episode[1]}
            continue
        inside += sum(len(image or '') for images in episode.panels.values() for image in images)
        if inside <= INSIDE_BYTES:
            yield episode.content | {'panels': episode.panels}
        else:
            beside.mkdir(exist_ok=True)
            (beside / f'{number:05d}.js').write_text(f'receive({number}, {json.dumps(episode.panels)});\n', 'utf-8')
            yield episode.content | {'number': number, 'file': f'{beside.stem}/{number:05d}.js'}


def show(view: EpisodeView) -> Shown:
    """Everything that the player shows of an episode."""
    return Shown(
        _content(view),
        {
            name: [_data_uri(image, lossless=name == 'generated') for image in images]
            for name, images in view.panels.items()
        },
    )


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
        'joints': view.labels[0].joint_names,
        'footage': view.conditions is not None and MESH_ASSETS not in view.counts,
        'conditions': provenance_in_words(view.conditions),
        'provenance': provenance_in_words(view.provenance),
        'counts': view.counts,
        'bytes': view.size_bytes,
        'faults': view.faults,
        'rejection': view.rejection,
    }


def _size(pictures: Iterable[Picture]) -> tuple[int, int] | None:
    return next(((picture.shape[1], picture.shape[0]) for picture in pictures if picture is not None), None)


def _data_uri(picture: Picture, *, lossless: bool) -> str | None:
    if picture is None:
        return None
    file = BytesIO()
    lossless = lossless and picture.shape[0] * picture.shape[1] <= LOSSLESS_PIXELS
    options = {'lossless': True, 'quality': 20, 'method': 0} if lossless else {'quality': 82, 'method': 2}
    Image.fromarray(picture).save(file, 'WEBP', **options)
    return 'data:image/webp;base64,' + b64encode(file.getvalue()).decode()


def _labels(labels: Labels) -> dict[str, Any]:
    pose = labels.T_world_object
    return {
        'position': None if pose is None else _numbers(pose[:3, 3]),
        'rotation': None if pose is None else [_numbers(row) for row in pose[:3, :3]],
        'forces': _numbers(labels.contacts.forces_n),
        'action': _numbers(labels.action),
        'joints': _numbers(labels.joint_positions),
        'frame': labels.frame,
    }


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def provenance_in_words(provenance: Provenance | None) -> dict[str, Any] | None:
    """JSON of how an output was made, its settings one below the other, for a page."""
    if provenance is None:
        return None
    settings = dict(provenance.config)
    timings = settings.pop('timings', {})
    return {
        'seed': provenance.seed,
        'source': provenance.source,
        'settings': _flat(settings),
        'timings': _flat(timings),
        'weights': provenance.weights,
        'versions': provenance.versions,
        'licences': provenance.licences,
    }


def _flat(settings: dict[str, Any], prefix: str = '') -> dict[str, str]:
    """Nested settings as dotted names with their values in words."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f'{prefix}{name}.')
        else:
            found[prefix + name] = _in_words(value)
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return '; '.join(map(_in_words, value))
    if isinstance(value, dict):
        return ', '.join(f'{name} {_in_words(part)}' for name, part in value.items())
    return f'{value:.4g}' if isinstance(value, float) else str(value)
