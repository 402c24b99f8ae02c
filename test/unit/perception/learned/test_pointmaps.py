"""Windows of a long stretch become one world, seen through one lens."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hoigen.geometry.alignment import Similarity, align
from hoigen.geometry.camera import pixel_grid, project, resize_camera, unproject
from hoigen.geometry.transforms import look_at, rigid
from hoigen.metrics.perception import camera_errors
from hoigen.perception.learned import pointmaps
from hoigen.perception.learned.pointmaps import PointMapConfig, Views, align_robustly, join, reconstruct, spans
from hoigen.records import Camera, Footage

FRAMES, WIDTH, HEIGHT = 40, 64, 48
CONFIG = PointMapConfig(window=12, overlap=4)
K = np.array([[70.0, 0, (WIDTH - 1) / 2], [0, 72.0, (HEIGHT - 1) / 2], [0, 0, 1]])


def true_cameras() -> list[Camera]:
    """A camera that walks around a bowl and looks into it."""
    angles = np.linspace(0, 1.5, FRAMES)
    eyes = np.stack([np.cos(angles), np.sin(angles), 0.9 + 0.1 * np.sin(5 * angles)], 1)
    return [Camera(K, WIDTH, HEIGHT, look_at(eye, np.zeros(3))) for eye in eyes]


def true_depth(camera: Camera) -> np.ndarray:
    """[h,w] of the bowl z = 0.3 (x^2 + y^2), by Newton's method along each ray."""
    rays = unproject(camera, pixel_grid(camera.width, camera.height), np.ones((camera.height, camera.width)))
    rays -= camera.T_world_cam[:3, 3]
    t = np.full(rays.shape[:2], 1.0)
    for _ in range(20):
        x, y, z = np.moveaxis(camera.T_world_cam[:3, 3] + t[..., None] * rays, -1, 0)
        slope = rays[..., 2] - 0.6 * (x * rays[..., 0] + y * rays[..., 1])
        t -= (z - 0.3 * (x**2 + y**2)) / slope
    return t.astype(np.float32)


def carried(views: Views, carry: Similarity) -> Views:
    """The same views in another world and unit."""
    return Views(
        tuple(
            replace(c, T_world_cam=rigid(carry.rotation @ c.T_world_cam[:3, :3], carry(c.T_world_cam[:3, 3])))
            for c in views.cameras
        ),
        (carry.scale * views.depth).astype(np.float32),
        views.confidence,
    )


def any_similarity(rng: np.random.Generator) -> Similarity:
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return Similarity(rng.uniform(0.3, 3), turn * np.linalg.det(turn), rng.normal(size=3))


class Oracle:
    """Sees windows as a perfect model would, each in a world and a unit of its own, with noise on top.

    A tenth of the pixels are wildly wrong, and confident of it.
    """

    def __init__(self, noise: float) -> None:
        self.noise, self.rng, self.cameras = noise, np.random.default_rng(0), true_cameras()
        self.depth = np.stack([true_depth(c) for c in self.cameras])
        self.config = type('Config', (), {'name': 'oracle'})

    def __call__(self, model: Oracle, rgb: np.ndarray) -> Views:
        frames = rgb[:, 0, 0, 0].astype(int)  # the footage counts itself
        depth = self.depth[frames].copy()
        depth *= 1 + self.noise * self.rng.normal(size=depth.shape)
        wrong = self.rng.random(depth.shape) < 0.1
        depth[wrong] *= self.rng.uniform(1.5, 3, wrong.sum())
        views = Views(
            tuple(self.cameras[t] for t in frames), depth.astype(np.float32), np.full(depth.shape, 0.8, np.float32)
        )
        return carried(views, any_similarity(self.rng))


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Oracle:
    made = Oracle(0.01)
    monkeypatch.setattr(pointmaps, 'views_of', made)
    return made


def footage(lens: np.ndarray | None = None, scale: int = 1) -> Footage:
    rgb = np.broadcast_to(
        np.arange(FRAMES, dtype=np.uint8)[:, None, None, None], (FRAMES, scale * HEIGHT, scale * WIDTH, 3)
    )
    return Footage(np.arange(FRAMES), np.ascontiguousarray(rgb), None, lens)


def test_windows_become_one_world(oracle: Oracle) -> None:
    """From the first to the last frame, depth, paths and places are the truth's but for one scale."""
    geometry = reconstruct(footage(), oracle, CONFIG)
    scale = np.median(oracle.depth / geometry.depth_m)
    off = np.abs(scale * geometry.depth_m / oracle.depth - 1)
    assert max(np.median(one) for one in off) < 0.02
    degrees, millimetres = camera_errors(
        [c.T_world_cam for c in geometry.cameras], [c.T_world_cam for c in oracle.cameras], scale
    )
    assert degrees < 0.5
    assert millimetres < 10
    assert np.allclose(geometry.cameras[0].T_world_cam, np.eye(4))
    assert not geometry.metric
    assert geometry.method == 'oracle'


def test_chained_only_by_what_is_shared(oracle: Oracle) -> None:
    """Perfect windows are joined to within the arithmetic: no window is left in its own world."""
    oracle.noise = 0
    places = spans(FRAMES, CONFIG)
    windows = [
        carried(
            Views(tuple(oracle.cameras[a:b]), oracle.depth[a:b], np.ones_like(oracle.depth[a:b])),
            any_similarity(oracle.rng),
        )
        for a, b in places
    ]
    joined = join(windows, places)
    ratio = joined.depth / oracle.depth
    assert ratio.std() / ratio.mean() < 1e-5
    assert len(joined.cameras) == FRAMES


def test_spans_cover_every_frame() -> None:
    """Each window is full, each shares at least the overlap with the next, and none is needed twice."""
    for frames in range(1, 80):
        places = spans(frames, CONFIG)
        assert places[0][0] == 0
        assert places[-1][1] == frames
        assert all(b - a == min(frames, CONFIG.window) for a, b in places)
        assert all(before[1] - here[0] >= CONFIG.overlap for before, here in pairwise(places))
        assert len(set(places)) == len(places)


def test_outliers_hardly_move_the_alignment() -> None:
    """A third of wild points: least squares is far off, the robust one is not."""
    rng = np.random.default_rng(1)
    points, carry = rng.normal(size=(3000, 3)), any_similarity(rng)
    onto = carry(points) + 0.002 * rng.normal(size=points.shape)
    onto[:1000] += rng.normal(2, 1, size=(1000, 3))
    found = align_robustly(points, onto, np.ones(3000))
    assert abs(found.scale / carry.scale - 1) < 0.002
    assert np.abs(found.translation - carry.translation).max() < 0.005
    assert np.abs(align(points, onto).translation - carry.translation).max() > 0.2


def test_weights_are_heeded() -> None:
    """Points without confidence do not count, however many they are."""
    rng = np.random.default_rng(2)
    points, carry = rng.normal(size=(900, 3)), any_similarity(rng)
    onto = carry(points)
    onto[:600] += 1.0
    weights = np.r_[np.full(600, 1e-6), np.ones(300)]
    assert np.abs(align_robustly(points, onto, weights).translation - carry.translation).max() < 1e-3


def test_a_known_lens_is_kept(oracle: Oracle) -> None:
    """The footage's own lens serves every frame, at its own size; cameras move so that places stay together."""
    lens = resize_camera(oracle.cameras[0], 2 * WIDTH, 2 * HEIGHT).K
    own = reconstruct(footage(None, 2), oracle, CONFIG)
    assert all(np.allclose(c.K, lens) for c in own.cameras)
    lens[0, 0], lens[1, 1] = lens[0, 0] * 1.2, lens[1, 1] * 1.2
    known = reconstruct(footage(lens, 2), oracle, CONFIG)
    assert all(np.allclose(c.K, lens) for c in known.cameras)
    apart = [np.median(np.linalg.norm(_place(g, 9, oracle) - _place(g, 30, oracle), axis=1)) for g in (own, known)]
    assert apart[0] < 0.03
    assert apart[1] < 0.1  # without moving, cameras that circle at about 1.4 would be 0.3 off


def _place(geometry: pointmaps.Geometry, t: int, oracle: Oracle) -> np.ndarray:
    """Where the geometry of frame t has surface points near the bowl's middle, in units of the truth."""
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 7), np.linspace(-0.2, 0.2, 7))
    surface = np.stack([x, y, 0.3 * (x**2 + y**2)], -1).reshape(-1, 3)
    pixels = 2 * project(oracle.cameras[t], surface)[0] + 0.5
    column, row = np.rint(pixels).astype(int).T
    scale = np.median(oracle.depth / geometry.depth_m[:, ::2, ::2])
    return scale * unproject(geometry.cameras[t], pixels, geometry.depth_m[t, row, column])


def test_a_lens_that_flickers_is_made_one() -> None:
    """One lens for all frames; each camera goes where its points stay, so the places hardly change."""
    rng, cameras = np.random.default_rng(3), true_cameras()
    lenses = [
        replace(c, K=c.K * np.array([[s, 1, 1], [1, s, 1], [1, 1, 1]]))
        for c, s in zip(cameras, 1 + 0.02 * rng.normal(size=FRAMES), strict=True)
    ]
    depth = np.stack([true_depth(c) for c in lenses])
    views = pointmaps._with_one_lens(Views(tuple(lenses), depth, np.ones_like(depth)), None, WIDTH, HEIGHT)
    assert len({c.K[0, 0] for c in views.cameras}) == 1
    for one, other, z, old in zip(views.cameras, lenses, views.depth, depth, strict=True):
        grid = pixel_grid(WIDTH, HEIGHT)
        assert np.median(np.linalg.norm(unproject(one, grid, z) - unproject(other, grid, old), axis=-1)) < 0.03


def test_depth_is_not_smeared_over_edges() -> None:
    """At another size every depth is of one of the surfaces; on a slope it is in between."""
    step = np.ones((10, 10), np.float32)
    step[:, 5:] = 2
    assert set(np.unique(pointmaps._resize_depth(step, 37, 37))) == {1.0, 2.0}
    slope = np.repeat(np.linspace(1, 1.1, 10, dtype=np.float32)[None], 10, 0)
    steps = np.diff(pointmaps._resize_depth(slope, 40, 40)[5])
    assert steps.max() < 0.004


@pytest.mark.parametrize('numbers', [(10, 10), (10, 0), (1, 1)])
def test_windows_that_cannot_be_joined(numbers: tuple[int, int]) -> None:
    """Without an overlap, or with nothing but overlap, there is no chain of windows."""
    with pytest.raises(ValueError, match='1 <= overlap < window'):
        PointMapConfig(*numbers)
