"""The way of a rigid object through a recording with depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.geometry.transforms import angle_between, apply, invert
from hoigen.perception.records import Flow
from hoigen.perception.tracking.rigid import fit_pose
from hoigen.perception.tracking.rigid_direct import Look, Match, align_look, look_of
from hoigen.perception.tracking.rigid_features import sample_flow

PIXELS = 800
"""So many of an object's pixels, evenly spread, are compared."""

LEAST_PIXELS = 60
"""An object with fewer pixels of known depth is not followed."""

SEEN, AGREE = 0.25, 0.6
"""A pose is believed if this part of the pixels is seen and this part of the seen ones agrees."""

SURE = 0.85
"""A pose that agrees less well is also looked for from where the object was last, as if it had not moved."""

MOST_TEMPLATES = 4
"""So many of the last templates are remembered."""

FRESH_SEEN, FRESH_AGREE, FRESH_TURN = 0.75, 0.72, 0.25
"""A frame that shows less of the pixels, whose pixels agree less (shadows come and go) or that is turned by more
radians, becomes the one whose pixels are compared."""


@dataclass(frozen=True, eq=False)
class _Template:
    """Places [N,3] on the object, in its frame, and their shades [N,3], of a frame where its pose was T_cam_object."""

    places: np.ndarray
    shades: np.ndarray
    T_cam_object: np.ndarray


def follow_object(
    K: np.ndarray, rgb: np.ndarray, depth_m: np.ndarray, own: np.ndarray, flow: Flow
) -> dict[int, np.ndarray]:
    """``T_cam_object`` [4,4] by frame in which the object is believed to be where it says.

    rgb: [T,H,W,3]. depth_m: [T,H,W], NaN where it is not trusted. own: [T,H,W] bool, the object's pixels. The object's
    frame is the camera's in the first frame of the answer. A frame starts from what the flow says and is made fit with
    the brightness and depth of a template's pixels; an object that is lost is looked for from the middle of what is
    seen of it, with the templates that there were.
    """
    poses: dict[int, np.ndarray] = {}
    templates: list[_Template] = []
    pose = np.eye(4)
    for t in range(len(rgb)):
        look = look_of(cv2.cvtColor(rgb[t], cv2.COLOR_RGB2GRAY), depth_m[t], own[t])
        if look is None:
            continue
        if not templates:
            first = _template(K, look, pose)
            if first is not None:
                templates, poses[t] = [first], pose
            continue
        last = pose
        pose = _by_flow(K, depth_m[t - 1], own[t - 1], flow, t, depth_m[t], own[t], last)
        template, found = _find(K, templates, look, pose, last)
        if _believed(found):
            pose = poses[t] = found.T_cam_object
            fresh = _template(K, look, pose) if _stale(template, found) else None
            templates = [*templates, fresh][-MOST_TEMPLATES:] if fresh is not None else templates
    return poses


def _find(
    K: np.ndarray, templates: list[_Template], look: Look, by_flow: np.ndarray, last: np.ndarray
) -> tuple[_Template, Match]:
    """The template and the pose that agree best: the newest, where the flow says, if that is sure; else what is best
    from there, from where the object was last and, of all templates, from the middle of what is seen."""
    newest = templates[-1]
    tried = [(newest, _aligned(K, newest, look, by_flow))]
    if tried[0][1].agree < SURE:
        tried.append((newest, _aligned(K, newest, look, last)))
    if not any(_believed(match) for _, match in tried):
        tried += [
            (template, _aligned(K, template, look, _centred(K, template, look, pose)))
            for template in templates
            for pose in (by_flow, template.T_cam_object)
        ]
    return max(tried, key=lambda pair: pair[1].seen * pair[1].agree)


def _aligned(K: np.ndarray, template: _Template, look: Look, start: np.ndarray) -> Match:
    return align_look(K, template.places, template.shades, look, start)


def _believed(found: Match) -> bool:
    return found.seen >= SEEN and found.agree >= AGREE


def _centred(K: np.ndarray, template: _Template, look: Look, pose: np.ndarray) -> np.ndarray:
    """The pose shifted so that the middle of the template's places lies at the middle of what is seen."""
    row, column = np.nonzero(np.isfinite(look.depth_m))
    if not len(row):
        return pose
    rays = np.column_stack([column + look.left, row + look.top, np.ones(len(row))]) @ np.linalg.inv(K).T
    middle = np.median(rays * look.depth_m[row, column, None], axis=0)
    shifted = pose.copy()
    shifted[:3, 3] += middle - np.median(apply(pose, template.places), axis=0)
    return shifted


def _template(K: np.ndarray, look: Look, T_cam_object: np.ndarray) -> _Template | None:
    """Pixels of known depth in a frame as places on the object; None where there are too few."""
    row, column = np.nonzero(np.isfinite(look.depth_m))
    if len(row) < LEAST_PIXELS:
        return None
    chosen = np.linspace(0, len(row) - 1, min(PIXELS, len(row))).astype(int)
    row, column = row[chosen], column[chosen]
    rays = np.column_stack([column + look.left, row + look.top, np.ones(len(row))]) @ np.linalg.inv(K).T
    places = apply(invert(T_cam_object), rays * look.depth_m[row, column, None])
    return _Template(places, look.shade[:, row, column].T.astype(float), T_cam_object)


def _by_flow(
    K: np.ndarray,
    depth_m: np.ndarray,
    own: np.ndarray,
    flow: Flow,
    t: int,
    depth_after: np.ndarray,
    own_after: np.ndarray,
    T_cam_object: np.ndarray,
) -> np.ndarray:
    """The pose in frame t as the flow from the frame before says, where its pose was ``T_cam_object``."""
    row, column = np.nonzero(own & np.isfinite(depth_m) & flow.forward_ok[t - 1])
    chosen = np.linspace(0, len(row) - 1, min(PIXELS // 4, len(row))).astype(int)
    at = np.column_stack([column, row])[chosen].astype(np.float32)
    goes = at + sample_flow(flow.forward[t - 1], at)
    u, v = np.clip(np.rint(goes), 0, np.array(own.shape[::-1]) - 1).astype(int).T
    at, goes, u, v = (part[own_after[v, u]] for part in (at, goes, u, v))
    rays = np.column_stack([at, np.ones(len(at))]) @ np.linalg.inv(K).T
    places = apply(invert(T_cam_object), rays * depth_m[at[:, 1].astype(int), at[:, 0].astype(int), None])
    return fit_pose(K, places, goes, depth_after[v, u], T_cam_object).T_cam_points


def _stale(template: _Template, found: Match) -> bool:
    if found.seen < FRESH_SEEN or found.agree < FRESH_AGREE:
        return True
    return bool(angle_between(template.T_cam_object[:3, :3], found.T_cam_object[:3, :3]) > FRESH_TURN)
