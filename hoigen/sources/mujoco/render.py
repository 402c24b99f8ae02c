"""Pictures of a scene: colour, depth and MuJoCo's own segmentation."""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np

from hoigen.records import Camera
from hoigen.sources.mujoco.gl import drawing
from hoigen.sources.mujoco.scene import FAR_M, NEAR_M

OPTICAL_TO_GL = np.diag([1.0, -1.0, -1.0])
MOST_GEOMS = 200
FLAG = mujoco.mjtRndFlag


class Drawable(Protocol):
    """What is drawn: anything with a compiled model, whose camera 0 is the renderer's to place."""

    @property
    def model(self) -> mujoco.MjModel: ...


class _Stage:
    """The GL resources of one scene at one size. A process holds one stage at a time: the drawing lock guards it."""

    current: _Stage | None = None

    def __init__(self, scene: Drawable, size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        scene.model.vis.global_.offwidth, scene.model.vis.global_.offheight = size
        self.gl = mujoco.MjrContext(scene.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.gl)
        self.gl.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self.visual = mujoco.MjvScene(scene.model, MOST_GEOMS)
        self.visual.flags[FLAG.mjRND_SKYBOX] = self.visual.flags[FLAG.mjRND_REFLECTION] = False

    @classmethod
    def of(cls, scene: Drawable, size: tuple[int, int]) -> _Stage:
        """The stage for this scene; the last one makes room for another."""
        if cls.current is None or cls.current.scene is not scene or cls.current.size != size:
            if cls.current is not None:
                cls.current.gl.free()
                cls.current = None
            cls.current = cls(scene, size)
        return cls.current


class Renderer:
    """Draws scenes at up to one size. Any thread may call, one at a time draws.

    ``data`` holds the pose to draw; its camera is overwritten. Scenes in turn, rather than one after the other, cost
    a loading of about 15 ms each time.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._option, self._lens = mujoco.MjvOption(), mujoco.MjvCamera()
        self._lens.type, self._lens.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def rgb(self, scene: Drawable, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """The picture, [H,W,3] uint8."""
        picture = np.empty((camera.height, camera.width, 3), np.uint8)
        self._draw(scene, data, camera, picture, None, plain=False)
        return np.ascontiguousarray(picture[::-1])

    def depth(self, scene: Drawable, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Depth along the optical axis, [H,W] float32 m, NaN where nothing is drawn."""
        buffer = np.empty((camera.height, camera.width), np.float32)
        self._draw(scene, data, camera, None, buffer, plain=True)
        share = buffer[::-1].astype(np.float64)  # 1 at the near plane, 0 at the far one, affine in 1 / depth
        metres = NEAR_M * FAR_M / (NEAR_M + share * (FAR_M - NEAR_M))
        return np.where(share > 0, metres, np.nan).astype(np.float32)

    def geoms(self, scene: Drawable, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Which geom each pixel shows, [H,W] int32, -1 for none."""
        picture = np.empty((camera.height, camera.width, 3), np.uint8)
        table = self._draw(scene, data, camera, picture, None, plain=True)
        return table[picture[::-1].astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32)]

    def _draw(
        self,
        scene: Drawable,
        data: mujoco.MjData,
        camera: Camera,
        rgb: np.ndarray | None,
        depth: np.ndarray | None,
        plain: bool,
    ) -> np.ndarray:
        """Draw and read back, rows from the bottom up; plain: codes of geoms in place of colours, no shadows.

        Gives the table of geom numbers by code, -1 for none.
        """
        with drawing():
            stage = _Stage.of(scene, self._size)
            data.cam_xpos[0] = camera.T_world_cam[:3, 3]
            data.cam_xmat[0] = (camera.T_world_cam[:3, :3] @ OPTICAL_TO_GL).ravel()
            flags = stage.visual.flags
            flags[FLAG.mjRND_SEGMENT] = flags[FLAG.mjRND_IDCOLOR] = plain
            flags[FLAG.mjRND_SHADOW] = not plain
            mujoco.mjv_updateScene(
                scene.model, data, self._option, None, self._lens, mujoco.mjtCatBit.mjCAT_ALL, stage.visual
            )
            _set_frustum(stage.visual, camera)
            area = mujoco.MjrRect(0, 0, camera.width, camera.height)
            mujoco.mjr_render(area, stage.visual, stage.gl)
            mujoco.mjr_readPixels(rgb, depth, area, stage.gl)
            return _codes(stage.visual)


def _set_frustum(visual: mujoco.MjvScene, camera: Camera) -> None:
    """Give both eyes the view of all of K: MuJoCo's own has one focal length and a principal point in the centre."""
    (fx, skew, cx), (_, fy, cy), _ = camera.K
    if skew:
        raise ValueError(f'K: expected no skew, which OpenGL cannot draw, got {skew:.6g}')
    for eye in visual.camera:
        near = eye.frustum_near
        eye.frustum_center = near * ((camera.width - 1) / 2 - cx) / fx
        eye.frustum_width = near * camera.width / 2 / fx  # half of it, despite its name
        eye.frustum_bottom, eye.frustum_top = near * (cy + 0.5 - camera.height) / fy, near * (cy + 0.5) / fy


def _codes(visual: mujoco.MjvScene) -> np.ndarray:
    table = np.full(visual.ngeom + 1, -1, np.int32)
    for geom in visual.geoms[: visual.ngeom]:
        if geom.segid >= 0:
            table[geom.segid + 1] = geom.objid
    return table
