"""What is compiled before the first frame is what the frames need."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from numba.core.dispatcher import Dispatcher
from synthetic_scene import moving_scene

from hoigen.conditioning import ClipBuilder
from hoigen.conditioning.warm import compile_kernels


def compiled() -> dict[str, set[object]]:
    """The signatures of every kernel of the package that is loaded."""
    modules = [vars(module) for name, module in list(sys.modules.items()) if name.startswith('hoigen')]
    kernels = {id(value): value for module in modules for value in module.values() if isinstance(value, Dispatcher)}
    return {kernel.py_func.__qualname__: set(kernel.signatures) for kernel in kernels.values()}


def test_the_frames_of_a_source_find_their_kernels_compiled() -> None:
    """Of rigid meshes with a depth image; else the first frames of a fast source wait for the compiler."""
    compile_kernels()
    before = compiled()
    assets, frames = moving_scene(2)
    builder = ClipBuilder(assets)
    for frame in frames:
        depth = np.full(frame.rgb.shape[:2], np.nan, np.float32)
        builder.add(replace(frame, depth_m=depth))
    assert compiled() == before
