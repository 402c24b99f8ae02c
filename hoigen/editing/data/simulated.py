"""Simulated scenes: what each is made of, and one of them on disk. Runs in worker processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mujoco
import numpy as np

from hoigen.editing.data.examples import Example, SceneExamples, SimulationConfig, simulate
from hoigen.editing.data.filters import FilterOptions, Likeness, fault_of
from hoigen.editing.data.library import LibraryMesh, chooser
from hoigen.editing.data.records import Outcome, write_scene
from hoigen.editing.records import Reference
from hoigen.geometry.orientation import Orientation
from hoigen.sources.mujoco.clutter import Look, draw_looks
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.gl import RenderError
from hoigen.sources.mujoco.render import Renderer


@dataclass(frozen=True)
class SceneJob:
    """All that a worker needs to make any scene of a set."""

    out: Path
    seed: int
    simulation: SimulationConfig
    filters: FilterOptions
    meshes: tuple[LibraryMesh, ...]
    mesh_share: float
    compress: bool


@dataclass(frozen=True, eq=False)
class _Tools:
    """What a worker process makes once."""

    renderer: Renderer
    choose: Callable[[Draws, int, int], tuple[Look, ...]]
    likeness: Likeness | None


def make_scene(job: SceneJob, number: int) -> Outcome:
    """Simulate scene ``number``, leave out what is not good enough, write the rest.

    A scene that cannot be simulated is told in the outcome; RenderError goes up, for no other scene could be drawn.
    """
    tools = _tools(job)
    try:
        scene = simulate(job.simulation, tools.renderer, job.seed, number, tools.choose)
    except RenderError:
        raise
    except (ValueError, RuntimeError, mujoco.FatalError) as error:
        return Outcome(
            number,
            '',
            0,
            (),
            {'not simulated': job.simulation.things * job.simulation.sights},
            (f'scene {number}: {error}',),
        )
    faults = [fault_of(example, scene.views[example.thing], job.filters, tools.likeness) for example in scene.examples]
    kept = tuple(example for example, fault in zip(scene.examples, faults, strict=True) if not fault)
    hidden = job.simulation.things * job.simulation.sights - len(scene.examples)
    dropped = Counter(fault for fault in faults if fault) + Counter({'hidden': hidden})
    captions = tuple(look.caption for look in scene.looks)
    if not kept:
        return Outcome(number, '', 0, captions, dict(dropped))
    path = job.out / f'scene_{number:06d}.npz'
    write_scene(path, arrays_of(scene, kept), compress=job.compress)
    return Outcome(number, path.name, len(kept), captions, dict(dropped))


def arrays_of(scene: SceneExamples, kept: tuple[Example, ...]) -> dict[str, np.ndarray]:
    """The arrays of a scene file."""

    def stack(values: list, dtype: str) -> np.ndarray:
        return np.stack(values).astype(dtype)

    places = [example.placement for example in kept]
    boxes, sights = [example.box for example in kept], [example.sight for example in kept]
    return {
        'rgb': stack([s.rgb for s in sights], 'uint8'),
        'without': stack([s.without for s in sights], 'uint8'),
        'without_known': np.ones(len(kept), bool),
        'depth_without_m': stack([s.depth_without_m for s in sights], 'float32'),
        'mask': stack([p.mask for p in places], 'bool'),
        'object_depth_m': stack([p.depth_m for p in places], 'float32'),
        'guide': stack([example.guide for example in kept], 'uint8'),
        'box_mask': stack([b.mask for b in boxes], 'bool'),
        'box_depth_m': stack([b.depth_m for b in boxes], 'float32'),
        'insertion_depth_m': np.array([p.insertion_depth_m for p in places], np.float32),
        'orientation': stack([_angles(p.orientation) for p in places], 'float32'),
        'thing': np.array([example.thing for example in kept], np.int64),
        'K': stack([s.camera.K for s in sights], 'float64'),
        'T_world_cam': stack([s.camera.T_world_cam for s in sights], 'float64'),
        'T_world_object': stack([s.T_world_object for s in sights], 'float64'),
        'view_rgb': np.stack([np.stack([view.rgb for view in views]) for views in scene.views]),
        'view_orientation': np.stack([stack([_told(view) for view in views], 'float32') for views in scene.views]),
        'caption': np.array([look.caption for look in scene.looks]),
    }


def _angles(orientation: Orientation) -> list[float]:
    return [orientation.azimuth, orientation.elevation, orientation.in_plane]


def _told(view: Reference) -> list[float]:
    return [np.nan] * 3 if view.orientation is None else _angles(view.orientation)


@cache
def _tools(job: SceneJob) -> _Tools:
    likeness = None
    if job.filters.dino:
        from hoigen.models.labelling import load_likeness  # transformers takes seconds to import

        likeness = load_likeness(job.filters.dino)
    choose = chooser(job.meshes, job.mesh_share) if job.meshes else draw_looks
    return _Tools(Renderer(job.simulation.size, job.simulation.size), choose, likeness)
