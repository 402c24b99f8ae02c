"""Where the surface samples of a scene lie: many on hand and object, the rest over the scene as it is first seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.conditioning.config import ConditioningConfig, ConditioningError
from hoigen.conventions import HAND, OBJECT, ROLE_CODE, SCENE
from hoigen.geometry.camera import crop_camera, pixel_grid, resize_camera, unproject
from hoigen.geometry.meshes import MeshTable
from hoigen.geometry.raster import rasterise
from hoigen.geometry.surface import SurfaceSamples, barycentric, sample_surface, seed_of, spread, triangle_areas
from hoigen.records import Camera

PICTURE_MARGIN = 0.125
"""How far around the first picture the scene is sampled, as a part of its size: a camera moves a little."""

PICTURE_WIDTH = 240
"""Width in pixels of the raster on which the scene's samples are chosen."""

PICTURE_CANDIDATES = 8
"""Random pixels per wanted scene sample, among which the evenly spread ones are kept."""


@dataclass(frozen=True, eq=False)
class ScenePoints:
    """The samples of all assets, ordered by asset.

    asset: [N] int32. spacing_m: [N] float64, about how far a sample's neighbours on its asset are, if they are spread
    evenly over it. tracks: [M] int64, the rows that are tracks.
    """

    samples: SurfaceSamples
    asset: np.ndarray
    spacing_m: np.ndarray
    tracks: np.ndarray


def draw_points(table: MeshTable, world: np.ndarray, camera: Camera, config: ConditioningConfig) -> ScenePoints:
    """Draw ``config.points`` samples of the scene whose vertices in its first frame are ``world`` [V,3].

    Hand and object: evenly over the area of each asset, its part of the role's samples being its part of the role's
    area; an asset's samples depend on the seed, its id, its mesh and their number alone. Scene: evenly over the
    picture that the first camera, looking a little wider, has of the scene without hand and object; a floor as large
    as a hall therefore gets no more than it fills of the picture. Every asset has at least one sample.
    """
    areas = np.bincount(table.triangle_asset, triangle_areas(table.vertices, table.triangles), len(table.ids))
    _check(table, areas, config)
    counts = _counts(table, areas, config)
    of_scene = int(counts[table.roles == ROLE_CODE[SCENE]].sum())
    by_asset = _scene_samples(table, world, camera, of_scene, areas, config.seed)
    for index in np.flatnonzero(table.roles != ROLE_CODE[SCENE]).tolist():
        by_asset[index] = _asset_samples(table, index, counts[index], config.seed)
    parts = [by_asset[index] for index in range(len(table.ids))]
    counts = np.array([len(part.triangle) for part in parts])
    asset = np.repeat(np.arange(len(parts), dtype=np.int32), counts)
    tracked = zip(np.cumsum(counts) - counts, apportion(config.tracks, counts), strict=True)
    return ScenePoints(
        _joined(parts),
        asset,
        np.sqrt(areas / counts)[asset],
        np.concatenate([start + np.arange(n) for start, n in tracked]),
    )


def apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """Whole numbers [A] int64 with sum ``total`` in proportion to ``weights`` [A], each rounded up or down."""
    exact = weights / weights.sum() * total
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind='stable')[: total - counts.sum()]] += 1
    return counts


def _check(table: MeshTable, areas: np.ndarray, config: ConditioningConfig) -> None:
    flat = [name for name, area in zip(table.ids, areas, strict=True) if area <= 0]
    if flat:
        raise ConditioningError(f'assets {flat}: expected meshes with an area > 0, got only degenerate triangles')
    if config.points < len(table.ids):
        raise ConditioningError(f'points: expected >= {len(table.ids)}, one for each asset, got {config.points}')


def _counts(table: MeshTable, areas: np.ndarray, config: ConditioningConfig) -> np.ndarray:
    """Samples [A] int64 of each asset, at least 1: by the share of its role and, within the role, by area."""
    shares = {HAND: config.hand_share, OBJECT: config.object_share, SCENE: 1 - config.hand_share - config.object_share}
    weights = np.zeros(len(areas))
    for name, share in shares.items():
        rows = table.roles == ROLE_CODE[name]
        weights[rows] = share * areas[rows] / areas[rows].sum()
    return 1 + apportion(config.points - len(areas), weights)


def _asset_samples(table: MeshTable, asset: int, count: int, seed: int) -> SurfaceSamples:
    rows = np.flatnonzero(table.triangle_asset == asset).astype(np.int32)
    found = sample_surface(table.vertices, table.triangles[rows], int(count), seed_of(seed, table.ids[asset]))
    return SurfaceSamples(rows[found.triangle], found.weights)


def _scene_samples(
    table: MeshTable, world: np.ndarray, camera: Camera, count: int, areas: np.ndarray, seed: int
) -> dict[int, SurfaceSamples]:
    """``count`` samples by scene asset: at least one of each by area, the rest as the first picture shows them."""
    scene = np.flatnonzero(table.roles == ROLE_CODE[SCENE])
    if not len(scene):
        return {}
    seen = _picture_samples(table, world, camera, count - len(scene), seed)
    asset = table.triangle_asset[seen.triangle]
    by_area = 1 + apportion(count - len(asset) - len(scene), areas[scene])
    return {
        a: _joined([seen.take(np.flatnonzero(asset == a)), _asset_samples(table, a, n, seed)])
        for a, n in zip(scene.tolist(), by_area, strict=True)
    }


def _joined(parts: list[SurfaceSamples]) -> SurfaceSamples:
    return SurfaceSamples(
        np.concatenate([part.triangle for part in parts]), np.concatenate([part.weights for part in parts])
    )


def _picture_samples(table: MeshTable, world: np.ndarray, camera: Camera, count: int, seed: int) -> SurfaceSamples:
    """Up to ``count`` samples, spread evenly over the pixels that the scene alone fills in the widened picture."""
    rows = np.flatnonzero(table.roles[table.triangle_asset] == ROLE_CODE[SCENE]).astype(np.int32)
    across, down = round(camera.width * PICTURE_MARGIN), round(camera.height * PICTURE_MARGIN)
    wide = crop_camera(camera, -across, -down, camera.width + 2 * across, camera.height + 2 * down)
    wide = resize_camera(wide, PICTURE_WIDTH, max(1, round(PICTURE_WIDTH * wide.height / wide.width)))
    picture = rasterise(wide, world, table.triangles[rows])
    pixels = np.argwhere(picture.triangle >= 0)
    order = seed_of(seed, SCENE).permutation(len(pixels))[: PICTURE_CANDIDATES * count]
    v, u = pixels[order[spread(pixels[order], min(count, len(order)))]].T
    triangle = rows[picture.triangle[v, u]]
    places = unproject(wide, pixel_grid(wide.width, wide.height)[v, u], picture.depth_m[v, u])
    return SurfaceSamples(triangle, barycentric(places, world[table.triangles[triangle]]))
