"""Pictures of a scene: colour, depth and MuJoCo's own segmentation. One thread per :class:`Renderer`."""

from __future__ import annotations

import mujoco
import numpy as np

from hoigen.records import Camera
from hoigen.sources.mujoco.gl import gl_context
from hoigen.sources.mujoco.scene import FAR_M, NEAR_M, Scene

__all__ = ['Renderer']

OPTICAL_TO_GL = np.diag([1.0, -1.0, -1.0])
FLAG = mujoco.mjtRndFlag


class Renderer:
    """Draws scenes at one size; the GL resources of the last scene are kept until another comes."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._scene: Scene | None = None
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        self._lens = mujoco.MjvCamera()
        self._lens.type, self._lens.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def rgb(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """The picture, [H,W,3] uint8; ``data`` holds the pose."""
        self._view(scene, data, camera)
        return self._draw(camera, np.empty((camera.height, camera.width, 3), np.uint8), None)[0]

    def depth(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Depth along the optical axis, [H,W] float32 m, NaN where nothing is drawn."""
        self._view(scene, data, camera, segment=True)
        buffer = self._draw(camera, None, np.empty((camera.height, camera.width), np.float32))[1].astype(np.float64)
        with np.errstate(divide='ignore'):
            metres = NEAR_M * FAR_M / (NEAR_M + buffer * (FAR_M - NEAR_M))  # the buffer is 1 at near, 0 at far
        return np.where(buffer > 0, metres, np.nan).astype(np.float32)

    def geoms(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Which geom each pixel shows, [H,W] int32, -1 for none."""
        self._view(scene, data, camera, segment=True)
        code = self._draw(camera, np.empty((camera.height, camera.width, 3), np.uint8), None)[0].astype(np.int32)
        number = code[..., 0] + (code[..., 1] << 8) + (code[..., 2] << 16)
        table = np.full(self._visual.ngeom + 1, -1, np.int32)
        for drawn in self._visual.geoms[:self._visual.ngeom]:
            if drawn.segid >= 0:
                table[drawn.segid + 1] = drawn.objid
        return table[number]

    def _view(self, scene: Scene, data: mujoco.MjData, camera: Camera, segment: bool = False) -> None:
        gl_context().make_current()
        if scene is not self._scene:
            self._load(scene)
        model = scene.model
        model.cam_fovy[0] = np.degrees(2 * np.arctan(0.5 * camera.height / camera.K[1, 1]))
        data.cam_xpos[0] = camera.T_world_cam[:3, 3]
        data.cam_xmat[0] = (camera.T_world_cam[:3, :3] @ OPTICAL_TO_GL).ravel()
        self._visual.flags[FLAG.mjRND_SEGMENT] = self._visual.flags[FLAG.mjRND_IDCOLOR] = segment
        self._visual.flags[FLAG.mjRND_SHADOW] = not segment
        mujoco.mjv_updateScene(model, data, self._option, None, self._lens, mujoco.mjtCatBit.mjCAT_ALL, self._visual)

    def _load(self, scene: Scene) -> None:
        if self._scene is not None:
            self._gl.free()
        size = scene.model.vis.global_
        size.offwidth, size.offheight = self.width, self.height
        self._gl = mujoco.MjrContext(scene.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._gl)
        self._gl.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._visual = mujoco.MjvScene(scene.model, 200)
        self._visual.flags[FLAG.mjRND_SKYBOX] = self._visual.flags[FLAG.mjRND_REFLECTION] = False
        self._scene = scene

    def _draw(self, camera: Camera, rgb: np.ndarray | None, depth: np.ndarray | None) -> tuple:
        area = mujoco.MjrRect(0, 0, camera.width, camera.height)
        mujoco.mjr_render(area, self._visual, self._gl)
        mujoco.mjr_readPixels(rgb, depth, area, self._gl)
        return tuple(None if picture is None else np.ascontiguousarray(picture[::-1]) for picture in (rgb, depth))
