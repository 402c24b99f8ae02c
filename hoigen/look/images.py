"""Images for the eye, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hoigen.whole_files import whole_file

__all__ = ['write_image']


def write_image(path: Path, image: np.ndarray | Image.Image) -> None:
    """Write an image, or [H,W,3] uint8, in the format of the path's suffix; whole or not at all."""
    with whole_file(path) as file:
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file)
