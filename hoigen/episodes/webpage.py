"""The report as one HTML file: pictures, numbers, styles and the player inside it, nothing from elsewhere."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image

from hoigen.episodes.view import EpisodeView, Picture
from hoigen.records import Labels, Provenance

__all__ = ['TEMPLATE', 'provenance_in_words', 'write_page']

TEMPLATE = Path(__file__).parent / 'page'
LOSSLESS_PIXELS = 256 * 256
"""Pictures up to this size are embedded without loss: a viewer judges the generator, not the file format."""


def write_page(out: TextIO, title: str, episodes: Iterable[EpisodeView | tuple[str, str]]) -> None:
    """Write the page; episodes are asked for one by one. A tuple is (name, error) of a bag that cannot be shown."""
    page, style, *scripts = ((TEMPLATE / name).read_text('utf-8') for name in
                             ('page.html', 'page.css', 'drawing.js', 'player.js'))
    head, tail = page.split('<!-- episodes -->')
    out.write(head.replace('/* style */', style).replace('{title}', escape(title)))
    for episode in episodes:
        content = ({'name': episode[0], 'error': episode[1]} if isinstance(episode, tuple) else _content(episode))
        text = json.dumps(content, allow_nan=False, separators=(',', ':')).replace('<', '\\u003c')
        out.write(f'<script type="application/json" class="episode">{text}</script>\n')
    out.write(tail.replace('/* script */', ''.join(scripts)))


def _content(view: EpisodeView) -> dict[str, Any]:
    """Everything that the player shows of an episode, as JSON."""
    start = view.stamps_ns[0]
    return {
        'name': view.name, 'task': view.labels[0].task, 'episode': view.labels[0].episode,
        'stamps': [f'{stamp / 1e9:.9f}' for stamp in view.stamps_ns],
        'times': [(stamp - start) / 1e9 for stamp in view.stamps_ns],
        'panels': {name: [_data_uri(picture) for picture in pictures] for name, pictures in view.panels.items()},
        'sizes': {name: _size(pictures) for name, pictures in view.panels.items()} | {'source': view.camera_size},
        'edited': view.edited,
        'fidelity': {name: [None if value is None else round(value, 4) for value in scores]
                     for name, scores in view.fidelity.items()},
        'frames': [_labels(labels) for labels in view.labels], 'joints': view.labels[0].joint_names,
        'footage': view.conditions is not None, 'conditions': provenance_in_words(view.conditions),
        'provenance': provenance_in_words(view.provenance), 'counts': view.counts, 'bytes': view.size_bytes,
        'faults': view.faults, 'rejection': view.rejection,
    }


def _size(pictures: Iterable[Picture]) -> tuple[int, int] | None:
    return next(((picture.shape[1], picture.shape[0]) for picture in pictures if picture is not None), None)


def _data_uri(picture: Picture) -> str | None:
    if picture is None:
        return None
    file = BytesIO()
    lossless = picture.shape[0] * picture.shape[1] <= LOSSLESS_PIXELS
    Image.fromarray(picture).save(file, 'WEBP', lossless=lossless, quality=60 if lossless else 82, method=2)
    return 'data:image/webp;base64,' + b64encode(file.getvalue()).decode()


def _labels(labels: Labels) -> dict[str, Any]:
    pose = labels.T_world_object
    return {'position': None if pose is None else _numbers(pose[:3, 3]),
            'rotation': None if pose is None else [_numbers(row) for row in pose[:3, :3]],
            'forces': _numbers(labels.contacts.forces_n), 'action': _numbers(labels.action),
            'joints': _numbers(labels.joint_positions), 'frame': labels.frame}


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def provenance_in_words(provenance: Provenance | None) -> dict[str, Any] | None:
    """JSON of how an output was made, its settings one below the other, for a page."""
    if provenance is None:
        return None
    settings = dict(provenance.config)
    timings = settings.pop('timings', {})
    return {'seed': provenance.seed, 'source': provenance.source, 'settings': _flat(settings),
            'timings': _flat(timings), 'weights': provenance.weights, 'versions': provenance.versions,
            'licences': provenance.licences}


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
