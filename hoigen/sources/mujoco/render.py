"""Pictures of a scene: colour, depth and MuJoCo's own segmentation."""

from __future__ import annotations

import mujoco
import numpy as np

from hoigen.records import Camera
from hoigen.sources.mujoco.gl import drawing
from hoigen.sources.mujoco.scene import FAR_M, NEAR_M, Scene

__all__ = ['Renderer']

OPTICAL_TO_GL = np.diag([1.0, -1.0, -1.0])
MOST_GEOMS = 200
FLAG = mujoco.mjtRndFlag


class Renderer:
    """Draws scenes at up to one size; the GL resources of the last scene are kept until another comes.

    ``data`` holds the pose to draw; its camera is overwritten. Any thread may call, one at a time draws.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._scene: Scene | None = None
        self._gl: mujoco.MjrContext | None = None
        self._option, self._lens = mujoco.MjvOption(), mujoco.MjvCamera()
        self._lens.type, self._lens.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def rgb(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """The picture, [H,W,3] uint8."""
        picture = np.empty((camera.height, camera.width, 3), np.uint8)
        self._draw(scene, data, camera, picture, None, plain=False)
        return np.ascontiguousarray(picture[::-1])

    def depth(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Depth along the optical axis, [H,W] float32 m, NaN where nothing is drawn."""
        buffer = np.empty((camera.height, camera.width), np.float32)
        self._draw(scene, data, camera, None, buffer, plain=True)
        share = buffer[::-1].astype(np.float64)  # 1 at the near plane, 0 at the far one, affine in 1 / depth
        metres = NEAR_M * FAR_M / (NEAR_M + share * (FAR_M - NEAR_M))
        return np.where(share > 0, metres, np.nan).astype(np.float32)

    def geoms(self, scene: Scene, data: mujoco.MjData, camera: Camera) -> np.ndarray:
        """Which geom each pixel shows, [H,W] int32, -1 for none."""
        picture = np.empty((camera.height, camera.width, 3), np.uint8)
        drawn = self._draw(scene, data, camera, picture, None, plain=True)
        code = picture[::-1].astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32)
        table = np.full(drawn.ngeom + 1, -1, np.int32)
        for geom in drawn.geoms[:drawn.ngeom]:
            if geom.segid >= 0:
                table[geom.segid + 1] = geom.objid
        return table[code]

    def _draw(self, scene: Scene, data: mujoco.MjData, camera: Camera, rgb: np.ndarray | None,
              depth: np.ndarray | None, plain: bool) -> mujoco.MjvScene:
        """Draw and read back, rows from the bottom up; plain: codes of geoms in place of colours, no shadows."""
        model = scene.model
        with drawing():
            if scene is not self._scene:
                self._load(scene)
            model.cam_fovy[0] = np.degrees(2 * np.arctan(0.5 * camera.height / camera.K[1, 1]))
            data.cam_xpos[0] = camera.T_world_cam[:3, 3]
            data.cam_xmat[0] = (camera.T_world_cam[:3, :3] @ OPTICAL_TO_GL).ravel()
            flags = self._visual.flags
            flags[FLAG.mjRND_SEGMENT] = flags[FLAG.mjRND_IDCOLOR] = plain
            flags[FLAG.mjRND_SHADOW] = not plain
            mujoco.mjv_updateScene(model, data, self._option, None, self._lens, mujoco.mjtCatBit.mjCAT_ALL,
                                   self._visual)
            area = mujoco.MjrRect(0, 0, camera.width, camera.height)
            mujoco.mjr_render(area, self._visual, self._gl)
            mujoco.mjr_readPixels(rgb, depth, area, self._gl)
            return self._visual

    def _load(self, scene: Scene) -> None:
        if self._gl is not None:
            self._gl.free()
        scene.model.vis.global_.offwidth, scene.model.vis.global_.offheight = self._size
        self._gl = mujoco.MjrContext(scene.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._gl)
        self._gl.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._visual = mujoco.MjvScene(scene.model, MOST_GEOMS)
        self._visual.flags[FLAG.mjRND_SKYBOX] = self._visual.flags[FLAG.mjRND_REFLECTION] = False
        self._scene = scene
