"""What a mesh file refers to: files in its own folder, and images."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from hoigen.untrusted.limits import Limits

INSTEAD = {
    'KHR_draco_mesh_compression': 'decompress it',
    'EXT_meshopt_compression': 'decompress it',
    'KHR_meshopt_compression': 'decompress it',
    'KHR_texture_basisu': 'save its textures as PNG or JPEG',
    'EXT_mesh_gpu_instancing': 'save it with a node for each instance',
}
FORMATS = ('PNG', 'JPEG', 'WEBP', 'BMP', 'TIFF', 'TGA')


class MeshError(ValueError):
    """A mesh file is not read as it is; the text says what was expected, what came, and what to do."""


def not_read(extension: str) -> MeshError:
    """The refusal of a file that cannot be read without a glTF extension."""
    return MeshError(f'{extension} is not read: {INSTEAD.get(extension, "save it without")}')


class Beside:
    """Files in a mesh's own folder and below it; nothing elsewhere is opened."""

    def __init__(self, path: Path) -> None:
        self.folder = path.absolute().parent.resolve()

    def get(self, name: str) -> bytes:
        """The file's bytes; one named by a path of another machine is looked for by its name alone."""
        wanted = name.strip().replace('\\', '/')
        for candidate in (wanted, wanted.rpartition('/')[2]):
            file = (self.folder / candidate).resolve()
            if file.is_relative_to(self.folder) and file.is_file():
                return file.read_bytes()
        raise MeshError(f'expected the file {name!r} that it refers to beside it, got none')


def texels(content: bytes, name: str) -> np.ndarray:
    """[h,w,3] uint8 of a texture's file; MeshError where it is no whole image of at most ``Limits.pixels``."""
    most = Limits().pixels
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        if image.width * image.height > most:
            raise MeshError(f'{name}: expected textures of at most {most} pixels, got {image.width}x{image.height}')
        return np.array(image.convert('RGB'))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        told = 'no image of these' if isinstance(error, Image.UnidentifiedImageError) else error
        raise MeshError(f'{name}: expected a whole texture ({", ".join(FORMATS)}), got: {told}') from None
