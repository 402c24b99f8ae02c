"""A source held against itself: do its camera's depth and image show the meshes where its poses put them?

Two things are compared, frame by frame. *Depth*: what the camera measured with what the meshes have at the same pixels,
per role. *Outlines*: whether the silhouettes of hand and object lie on edges of the image. Where they do not fit, the
known slips are tried, and the one that fits far better is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hoigen.conditioning.config import ConditioningError
from hoigen.conditioning.slips import Posed, lens_slips, scene_slips
from hoigen.conventions import HAND, OBJECT, ROLE_CODE, ROLES
from hoigen.geometry.camera import resize_camera
from hoigen.geometry.meshes import MeshTable
from hoigen.geometry.raster import rasterise
from hoigen.records import SceneFrame

__all__ = ['SourceCheck', 'SourceMismatch']

WIDTH = 160
"""Pixels across of the images that are compared."""

NEAR_M, NEAR_PART = 0.01, 0.02
"""Depths agree that differ by no more than the larger of these: metres, and a part of the depth."""

ENOUGH = 60
"""Pixels of a role, or of outlines, from which on they count."""

GOOD, CLEAR = 0.9, 0.85
"""Where a smaller part of a role's pixels agrees, or outlines lie on edges of a lower mean rank, slips are tried."""

WEAK = 0.7
"""Outlines on edges of a lower mean rank are worth a warning: the simulator's have 0.87 or more, slips 0.4 to 0.8."""

FAR_BETTER, EXPLAINED = 0.12, 0.8
"""A slip is named that fits better by this, and fits by this part at least."""

MOVED = 4
"""Frames from which on an image of another time can be told."""

PUBLISHED, LATE, EARLY = '', 'one frame late', 'one frame early'
FLIPS: dict[str, tuple[slice, slice]] = {
    'upside down (the lowest row comes first)': (slice(None, None, -1), slice(None)),
    'mirrored (the rightmost column comes first)': (slice(None), slice(None, None, -1)),
    'rotated by 180 degrees': (slice(None, None, -1), slice(None, None, -1)),
}
MILLIMETRES = 'in millimetres (32FC1 is metres)'
"""How an image or depth may have been meant that came as PUBLISHED; each is tried on every frame."""


class SourceMismatch(ConditioningError):
    """A source's images do not show its meshes: its labels cannot be true of them."""


@dataclass(frozen=True, eq=False)
class _Small:
    """A frame as it is compared, [h,w]: edges float32 ranks in [0, 1]; shown_m and meshes_m float32; roles uint8."""

    edges: np.ndarray
    shown_m: np.ndarray | None
    meshes_m: np.ndarray
    roles: np.ndarray


class _Tally:
    """What agrees of what was compared: depth by role, and edges on outlines."""

    def __init__(self) -> None:
        self._near, self._of, self._drawn = np.zeros((3, len(ROLES)))
        self._before = 0
        self._edges, self._outlines = 0.0, 0

    def add_depth(self, shown_m: np.ndarray, small: _Small) -> None:
        near, compared = agreement(shown_m, small.meshes_m, small.roles)
        self._near += np.bincount(small.roles[near & compared], minlength=len(ROLES))
        self._of += np.bincount(small.roles[compared], minlength=len(ROLES))
        self._drawn += np.bincount(small.roles[np.isfinite(small.meshes_m)], minlength=len(ROLES))
        self._before += int((compared & ~near & (shown_m < small.meshes_m)).sum())

    def add_image(self, edges: np.ndarray, small: _Small) -> None:
        found = edges[outlines(small.roles)]
        self._edges += float(found.sum())
        self._outlines += len(found)

    @property
    def share(self) -> np.ndarray:
        """By role code, NaN where too few pixels were compared."""
        return np.where(self._of >= ENOUGH, self._near / np.maximum(self._of, 1), np.nan)

    def fit(self, roles: list[int]) -> float:
        """Mean share of these roles: 0 of one that is nowhere in view; one of which little is seen does not count, and
        where that is hand and object both it is 0: what hides them explains nothing."""
        if not (self._of[[ROLE_CODE[HAND], ROLE_CODE[OBJECT]]] >= ENOUGH).any():
            return 0.0
        share = np.where(self._drawn > 0, self.share, 0.0)[roles]
        return float(share[~np.isnan(share)].mean())

    @property
    def before(self) -> float:
        """The part of what does not agree that is nearer to the camera than every mesh."""
        return self._before / max(float((self._of - self._near).sum()), 1)

    @property
    def rank(self) -> float:
        """Mean rank of the edges on the outlines: about 0.5 by chance, 1 on the strongest; NaN without outlines."""
        return self._edges / self._outlines if self._outlines >= ENOUGH else float('nan')


class SourceCheck:
    """Follows one episode's frames. ``min_agreement``: less refuses the episode; 0 refuses none."""

    def __init__(self, table: MeshTable, min_agreement: float) -> None:
        self._table, self._min_agreement = table, min_agreement
        self._roles = sorted(set(table.roles.tolist()))
        self._depth: dict[str, _Tally] = {}
        self._image = {PUBLISHED: _Tally()}
        self._before: _Small | None = None
        self._frames = 0
        self.slip = ''
        """What was published wrongly, and how to mend it; '' while none is known."""
        self.refused = ''
        """Why the episode cannot be used; '' while it can."""

    def add(self, frame: SceneFrame, roles: np.ndarray, meshes_m: np.ndarray) -> None:
        """Compare a frame with its meshes' role codes [H,W] uint8 and depth [H,W] float32 (infinite: no mesh).

        Raises :class:`SourceMismatch` once the episode cannot be used.
        """
        small = _small(frame, roles, meshes_m)
        self._frames += 1
        self._compare(small)
        self.slip = self.slip or self._likely(frame, small)
        self._before = small
        if self._min_agreement and (self.slip or self._too_little()):
            self.refused = self.warning() + ('' if self.slip else '; the images do not show these meshes')
            raise SourceMismatch(self.refused)

    @property
    def shares(self) -> dict[str, float]:
        """The part of each role's pixels whose depths agree, NaN where none could be compared; {} without depth."""
        if not self._depth:
            return {}
        found = self._depth[PUBLISHED].share
        return {ROLES[code]: float(found[code]) for code in self._roles}

    @property
    def outlines(self) -> float:
        """Mean rank of the image's edges on the outlines of the meshes' roles, NaN without any."""
        return self._image[PUBLISHED].rank

    def summary(self) -> str:
        """What was compared and what agrees, in a line."""
        shares = (
            ', '.join(
                f'{role} {"none in view" if np.isnan(share) else f"{share:.2f}"}' for role, share in self.shares.items()
            )
            or 'not checked: no camera/depth'
        )
        if any(share < GOOD for share in self.shares.values()):
            shares += f' ({100 * self._depth[PUBLISHED].before:.0f} % of the rest is nearer than every mesh)'
        rank = 'none in view' if np.isnan(self.outlines) else f'{self.outlines:.2f}'
        return f'camera/depth agrees with the meshes: {shares}; outlines on edges of camera/image: {rank}'

    def warning(self) -> str:
        """What is to be looked at though the episode is used; ''."""
        faults = [self.slip] if self.slip else []
        faults += [
            f'mesh_assets: no mesh of role {role}' for role in (HAND, OBJECT) if ROLE_CODE[role] not in self._roles
        ]
        low = any(share < GOOD for share in self.shares.values()) or self.outlines < WEAK
        return '; '.join([*faults, self.summary()]) if faults or low else ''

    def _compare(self, small: _Small) -> None:
        """Tally the frame as it came, and as it may have been meant."""
        for name, part in ({PUBLISHED: (slice(None), slice(None))} | FLIPS).items():
            self._tally(name, small.edges[part], None if small.shown_m is None else small.shown_m[part], small)
        if small.shown_m is not None:
            self._depth.setdefault(MILLIMETRES, _Tally()).add_depth(small.shown_m * np.float32(1e-3), small)
        if self._before is not None:
            self._tally(LATE, small.edges, small.shown_m, self._before)
            self._tally(EARLY, self._before.edges, self._before.shown_m, small)

    def _tally(self, name: str, edges: np.ndarray, shown_m: np.ndarray | None, small: _Small) -> None:
        self._image.setdefault(name, _Tally()).add_image(edges, small)
        if shown_m is not None:
            self._depth.setdefault(name, _Tally()).add_depth(shown_m, small)

    def _likely(self, frame: SceneFrame, small: _Small) -> str:
        """The slip that explains best what was seen, if far better than what was published; ''.

        An image is read otherwise only where the depth agrees, or there is none: it fits many things by chance. Where
        anything is, is tried in frames 1, 2, 4, 8 ... as long as not everything is seen and agrees.
        """
        images = {name: tally.rank for name, tally in self._image.items()}
        depths = {name: tally.fit(self._roles) for name, tally in self._depth.items()}
        shares = np.array(list(self.shares.values()))
        found = self._readings(depths, images, 'camera/depth') if depths else {}
        if not (shares < GOOD).any():
            found |= self._readings(images, {}, 'camera/image')
        certain = (shares >= GOOD).all() and images[PUBLISHED] >= CLEAR
        if not certain and (found or not self._frames & (self._frames - 1)):
            found |= self._misplaced(frame, small)
        return max(found, key=lambda says: found[says], default='')

    def _readings(self, fits: dict[str, float], others: dict[str, float], topic: str) -> dict[str, float]:
        """What came of a topic, read otherwise, where that is far better; ``others``: fits of the image's."""
        found = {}
        for name, fit in fits.items():
            if _far_better(fit, fits[PUBLISHED]) and (name not in (LATE, EARLY) or self._frames >= MOVED):
                too = name in others and _far_better(others[name], others[PUBLISHED])
                found[f'{topic}{" and camera/image" if too else ""}: {name}'] = fit
        return found

    def _misplaced(self, frame: SceneFrame, small: _Small) -> dict[str, float]:
        """The slips in where something is that fit this frame far better, and how well."""
        published = Posed(
            resize_camera(frame.camera, *small.roles.shape[::-1]), self._table, frame.poses, frame.vertices
        )
        slips = list(scene_slips())
        if small.shown_m is not None:
            slips += lens_slips(frame.camera, small.shown_m, small.meshes_m)
        fit = self._fit_of(published, small)
        tried = {slip.says: self._fit_of(slip.mend(published), small) for slip in slips}
        return {says: better for says, better in tried.items() if _far_better(better, fit)}

    def _fit_of(self, scene: Posed, small: _Small) -> float:
        """How well a frame's depth, or without one its image, fits a scene."""
        world = scene.world()
        if not np.isfinite(world).all():
            return 0.0
        drawn = rasterise(scene.camera, world, self._table.triangles)
        roles = np.append(self._table.roles[self._table.triangle_asset], np.uint8(0))[drawn.triangle]
        seen = replace(small, roles=roles, meshes_m=np.where(drawn.triangle < 0, np.float32(np.inf), drawn.depth_m))
        tally = _Tally()
        if small.shown_m is not None:
            tally.add_depth(small.shown_m, seen)
            return tally.fit(self._roles)
        tally.add_image(small.edges, seen)
        return float(np.nan_to_num(tally.rank))

    def _too_little(self) -> bool:
        """Whether so little of hand or object agrees, or of the scene where neither is seen, that no label is true."""
        seen = {role: share for role, share in self.shares.items() if not np.isnan(share)}
        judged = [seen[role] for role in (HAND, OBJECT) if role in seen] or list(seen.values())
        return any(share < self._min_agreement for share in judged)


def _far_better(fit: float, published: float) -> bool:
    return fit >= EXPLAINED and fit >= np.nan_to_num(published) + FAR_BETTER


def _small(frame: SceneFrame, roles: np.ndarray, meshes_m: np.ndarray) -> _Small:
    """A frame at ``WIDTH``: the image averaged, everything else at the nearest pixel."""
    nearest = nearest_pixels(roles.shape)
    shown = None if frame.depth_m is None else frame.depth_m[nearest]
    return _Small(edges_of(frame.rgb), shown, meshes_m[nearest], roles[nearest])


def nearest_pixels(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Index of the pixels of an image of ``shape`` [H,W] that stand for those that are compared, ``WIDTH`` across."""
    height, width = shape
    size = (max(1, round(height * min(WIDTH, width) / width)), min(WIDTH, width))
    row, column = (
        np.clip(np.floor((np.arange(n) + 0.5) * whole / n), 0, whole - 1).astype(np.int64)
        for n, whole in zip(size, shape, strict=True)
    )
    return np.ix_(row, column)


def edges_of(rgb: np.ndarray) -> np.ndarray:
    """:func:`edge_ranks` of an image [H,W,3] at the size compared, each pixel the mean of what it covers."""
    row, column = nearest_pixels(rgb.shape[:2])
    return edge_ranks(cv2.resize(rgb, (column.size, row.size), interpolation=cv2.INTER_AREA))


def edge_ranks(rgb: np.ndarray) -> np.ndarray:
    """[H,W] float32: the part of an image's pixels whose edge is weaker, equal ones counted half."""
    smooth = cv2.GaussianBlur(rgb, (3, 3), 0).astype(np.float32)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)).max(-1)
    level = np.minimum(slope, 2047).astype(np.int64)
    count = np.bincount(level.ravel())
    return ((np.cumsum(count) - count / 2) / level.size)[level].astype(np.float32)


def outlines(roles: np.ndarray) -> np.ndarray:
    """[H,W] bool: pixels at which the role changes, on both sides, but for those at the border of the image."""
    found = np.zeros(roles.shape, bool)
    across, down = roles[:, 1:] != roles[:, :-1], roles[1:] != roles[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    found[[0, -1]] = found[:, [0, -1]] = False
    return found


def agreement(shown_m: np.ndarray, meshes_m: np.ndarray, roles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[H,W] bool: where two depths are near; and where they are compared: both known, within a role's silhouette."""
    square = np.ones((3, 3), np.uint8)
    inner = cv2.erode(roles, square) == cv2.dilate(roles, square)
    compared = inner & np.isfinite(shown_m) & np.isfinite(meshes_m)
    with np.errstate(invalid='ignore'):
        near = np.abs(shown_m - meshes_m) <= np.maximum(NEAR_M, NEAR_PART * meshes_m)
    return near, compared
