"""Pages for a browser, of templates: one HTML file with images, numbers, styles and scripts inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hoigen.records import Provenance

JSON: dict[str, Any] = {'allow_nan': False, 'separators': (',', ':')}
"""How numbers and words are written for a page."""
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PAGES.policies['json.dumps_kwargs'] = JSON


def write_html(out: TextIO, template: str, **content: object) -> None:
    """Write a page of a template of this package, its path in it; iterables in ``content`` are consumed on the way."""
    out.writelines(_PAGES.get_template(template).generate(content))


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
