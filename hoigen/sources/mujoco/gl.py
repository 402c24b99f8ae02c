"""The process's one off-screen OpenGL context: EGL where it works, else OSMesa. Threads take turns."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Protocol

DEVICE_PLATFORM = 0x313F  # EGL_PLATFORM_DEVICE_EXT
HELP = (
    'MuJoCo found no off-screen OpenGL on this machine: install the Debian packages libegl1 and libgl1-mesa-dri '
    '(EGL), or libosmesa6 (OSMesa)'
)


class RenderError(RuntimeError):
    """This machine cannot render off screen."""


try:
    import mujoco  # noqa: F401
except ModuleNotFoundError:
    raise
except (AttributeError, ImportError) as error:  # it loads what MUJOCO_GL names; so fails PyOpenGL without the library
    raise RenderError(
        f'{HELP}; MUJOCO_GL={os.environ.get("MUJOCO_GL")} asks for one that is not there, unset it to let hoigen choose'
    ) from error


class GLContext(Protocol):
    def make_current(self) -> None: ...
    def free(self) -> None: ...


@contextmanager
def drawing() -> Iterator[None]:
    """Make the context current in this thread for a while; another thread waits until this one is through.

    The context is let go afterwards, since EGL refuses one that is still current in another thread.
    """
    with _turn:
        context, release = _context()
        context.make_current()
        try:
            yield
        finally:
            release()


_turn = threading.RLock()


@cache
def _context() -> tuple[GLContext, Callable[[], object]]:
    """The context and how to let it go; made once, because making one costs more than a clip."""
    wanted = os.environ.get('MUJOCO_GL', '').lower()
    backend = wanted if wanted in ('egl', 'osmesa') else _backend()
    try:
        context = import_module(f'mujoco.{backend}').GLContext(16, 16)
    except Exception as error:  # PyOpenGL raises whatever its loader met
        raise RenderError(f'{HELP} (tried {backend}: {error})') from error
    atexit.register(context.free)  # before the display that it lives on
    release = ctypes.CDLL('libEGL.so.1').eglReleaseThread if backend == 'egl' else _nothing
    return context, release


def _nothing() -> None:
    """OSMesa draws into the program's own memory and needs no letting go."""


def _backend() -> str:
    if _egl_works():
        return 'egl'
    try:
        ctypes.CDLL('libOSMesa.so.8')
    except OSError:
        raise RenderError(HELP) from None
    return 'osmesa'


def _egl_works() -> bool:
    """Try EGL by hand: once PyOpenGL has loaded for EGL it cannot change to OSMesa in the same process."""
    try:
        egl = ctypes.CDLL('libEGL.so.1')
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query, display_of = (egl.eglGetProcAddress(name) for name in (b'eglQueryDevicesEXT', b'eglGetPlatformDisplayEXT'))
    if not query or not display_of:
        return False
    devices, count = (ctypes.c_void_p * 8)(), ctypes.c_int()
    ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(query)(
        8, devices, ctypes.byref(count)
    )
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_of)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return any(
        egl.eglInitialize(get_display(DEVICE_PLATFORM, device, None), None, None) for device in devices[: count.value]
    )
