"""How fast an object is put into a picture: python bench/bench_editing.py

Times the default insertion model on a simulated 640x360 frame, its geometry alone, and an asset-referenced picture.
Also as ratios to one fixed piece of work done in the same run. Ends with status 1 above 30 seconds a picture.
"""

from __future__ import annotations

import statistics
import sys

import numpy as np
from timing import milliseconds, yardstick

from hoigen.editing.asset_reference.generator import load_asset_reference
from hoigen.editing.flux_insertion.inserter import load_inserter
from hoigen.editing.placement import place
from hoigen.editing.records import Subject
from hoigen.editing.synthesis import make_room
from hoigen.editing.views import random_views
from hoigen.geometry.camera import resize_camera
from hoigen.geometry.shading import draw
from hoigen.sources.mujoco.clutter import build_clutter, draw_looks, look_from
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.render import Renderer

WIDTH, HEIGHT, RUNS = 640, 360, 5
MOST_S = 30.0


def median(work: object) -> float:
    """Milliseconds, the median of RUNS after one that compiles and loads."""
    return statistics.median([milliseconds(work) for _ in range(1 + RUNS)][1:])


def main() -> int:
    draws = Draws('heldout', 1)
    looks = draw_looks(draws, 3)
    scene = build_clutter(looks, draws)
    camera = resize_camera(look_from(scene, 0, draws, HEIGHT, 0.3), WIDTH, HEIGHT)
    sight = scene.see(Renderer(WIDTH, HEIGHT), camera, 0)
    depth, pose, asset = np.nan_to_num(sight.depth_without_m, nan=np.inf), sight.T_world_object, looks[0].asset
    views = lambda: random_views(asset, 20, np.random.default_rng(0))  # noqa: E731
    subject, inserter, generator = Subject(looks[0].caption, views(), asset), load_inserter(), load_asset_reference()
    rows = {
        '20 views of a mesh, 64x64': median(views),
        'outline, depth and guide at 640x360': median(
            lambda: make_room(sight.without, depth, place(asset, pose, camera), guide=draw(asset, pose, camera).rgb)
        ),
        f'insertion, {inserter.steps} steps': median(
            lambda: inserter.insert(sight.without, depth, camera, subject, pose)
        ),
        'removal': median(lambda: inserter.remove(sight.rgb, place(asset, pose, camera).mask)),
        'asset-referenced picture with its point map': median(lambda: generator.generate(asset, looks[0].caption)),
    }
    unit = yardstick()
    print(f'{"fixed work":48}{unit:9.1f} ms')
    for what, spent in rows.items():
        print(f'{what:48}{spent:9.1f} ms  {spent / unit:8.1f} of the fixed work')
    return int(max(rows.values()) > 1e3 * MOST_S)


if __name__ == '__main__':
    sys.exit(main())
