"""How generated video is to look where it is not to look as its source: the settings, light enough for help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hoigen.sources.recording.stills import PICTURES


class StyleError(ValueError):
    """A first image or background that cannot be used; the text names the option, and what was expected."""


@dataclass(frozen=True)
class Style:
    """How generated video looks; where a field is not given, as its source does in frame 0."""

    prompt: str = ''
    """Text that the video is to show, for models that read text; empty: the task of each episode."""
    first_image: Path | None = None
    """Image in place of frame 0, in any look, with hand and object where the source has them; or a folder that has one
    for each episode, called as its bag (episode_0000.png)."""
    background: Path | None = None
    """Image of the first image's scene without hand and object, whose camera stands still; or a folder as above."""

    def of(self, episode: str) -> Style:
        """The style of an episode, by the path of its bag under a run's folder, with files in place of folders.

        Raises StyleError where there is none, or not one alone.
        """
        return replace(
            self,
            first_image=self.first_image and _file('first_image', self.first_image, episode),
            background=self.background and _file('background', self.background, episode),
        )


def _file(option: str, path: Path, episode: str) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise StyleError(f'{option}: expected an image or a folder of images, got nothing at {path}')
    named = path / episode
    beside = named.parent.iterdir() if named.parent.is_dir() else ()
    found = sorted(file for file in beside if file.stem == named.name and file.suffix.lower() in PICTURES)
    if len(found) != 1:
        raise StyleError(
            f'{option}: expected one image {named} ({", ".join(PICTURES)}), '
            f'got {", ".join(file.name for file in found) or "none"}'
        )
    return found[0]
