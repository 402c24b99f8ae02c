"""How fast scene frames become conditions: python bench/bench_conditioning.py

Times ``ClipBuilder.add`` on a scene with a hand's number of triangles at 720x480 with 8,192 samples, what of it holds
the source against itself (a good source, and one whose slip is searched for), and ``build_conditions`` at 192x128. Also
as ratios to one fixed piece of work done in the same run, by which machines that differ can be compared. Ends with
status 1 below 30 frames a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from timing import milliseconds, yardstick

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'test'))

from slips import opengl_camera
from synthetic_scene import ball, frame_of, moving_scene

from hoigen.conditioning import ClipBuilder, build_clip, build_conditions
from hoigen.conditioning.source_check import SourceCheck
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.records import Clip, MeshAsset, SceneFrame

RATE_HZ = 30.0
FRAMES = 17


def clip_of(sway_m: float) -> tuple[Clip, np.ndarray, tuple[float, float]]:
    """A clip, the milliseconds [T] that each of its frames took, the best of three passes; and those of checking one
    frame of the source, as it is and with the camera's pose in OpenGL's frame."""
    assets, frames = moving_scene(FRAMES, sway_m, 720, 480)
    hand = ball('knuckles', 'hand', 0.06, rings=84)  # 28,224 triangles, as many as Adroit's hand and forearm
    assets = (*assets, hand)
    frames = [
        frame_of(assets, frame.poses | {'knuckles': frame.poses['palm']}, frame.camera, t)
        for t, frame in enumerate(frames)
    ]
    ClipBuilder(assets).add(frames[0])  # compiles, the first time on a machine
    passes = []
    for _ in range(3):
        builder = ClipBuilder(assets)
        passes.append([milliseconds(lambda frame=frame, to=builder: to.add(frame)) for frame in frames])
    checks = checking(assets, frames), checking(*opengl_camera(assets, frames[:1]))
    return build_clip(assets, frames), np.min(passes, axis=0), checks


def checking(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> float:
    """Milliseconds of a frame's check, without drawing its meshes."""
    table, spent = mesh_table(assets), []
    check = SourceCheck(table, min_agreement=0.0)
    for frame in frames:
        drawn = rasterise(frame.camera, table.posed(frame.poses, {}), table.triangles)
        roles = np.append(table.roles[table.triangle_asset], np.uint8(0))[drawn.triangle]
        depth_m = np.where(drawn.triangle < 0, np.float32(np.inf), drawn.depth_m)
        spent.append(milliseconds(lambda frame=frame, of=(roles, depth_m): check.add(frame, *of)))
    return float(np.median(spent))


def main() -> int:
    unit, rate = yardstick(), np.inf
    print(f'fixed work                         {unit:7.1f} ms')
    for name, sway_m in (('camera stands still', 0.0), ('camera moves', 0.2)):
        clip, times, (checked, searched) = clip_of(sway_m)
        build_conditions(clip, width=192, height=128)
        whole = min(milliseconds(lambda clip=clip: build_conditions(clip, width=192, height=128)) for _ in range(3))
        rate = min(rate, 1e3 / times[1:].mean())
        print(f'{name}:')
        for what, spent in (
            ('first frame (draws the samples)', times[0]),
            ('frame at 720x480', times[1:].mean()),
            ('of it the check of the source', checked),
            ('where slips are tried', searched),
            ('conditions, 17 frames at 192x128', whole),
        ):
            print(f'  {what:32} {spent:7.1f} ms  ratio {spent / unit:5.2f}')
    print(f'{rate:.0f} frames/s at 720x480 with 8,192 samples, expected at least {RATE_HZ:.0f}')
    return 0 if rate >= RATE_HZ else 1


if __name__ == '__main__':
    sys.exit(main())
