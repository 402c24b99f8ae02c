"""Without off-screen OpenGL the source says which packages to install."""

from __future__ import annotations

import ctypes

import pytest

from hoigen.sources.mujoco import RenderError, gl


def test_no_opengl_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh machine lacks the libraries: the error is one that its owner can act on."""

    def missing(name: str) -> None:
        raise OSError(f'{name}: cannot open shared object file')

    monkeypatch.setattr(ctypes, 'CDLL', missing)
    monkeypatch.delenv('MUJOCO_GL', raising=False)
    gl._context.cache_clear()
    with pytest.raises(RenderError, match=r'libegl1.*libgl1-mesa-dri.*libosmesa6'):
        gl._context()


def test_a_backend_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by MUJOCO_GL and not there: the error tells which was tried."""
    monkeypatch.setenv('MUJOCO_GL', 'osmesa')
    monkeypatch.setenv('PYOPENGL_PLATFORM', 'egl')
    gl._context.cache_clear()
    with pytest.raises(RenderError, match='tried osmesa'):
        gl._context()
