"""Square, turned parts of an image, in which one hand is upright: from a palm, from keypoints, and cut out.

The numbers are those of MediaPipe's graph (palm_detection_detection_to_roi, hand_landmark_landmarks_to_roi).
"""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.models.samurai import box_iou

OF_PALM, PALM_SHIFT = 2.6, -0.5
"""Side of a hand's region in sides of its palm's box; how far its centre is moved up from there, in those sides."""
OF_KEYPOINTS, KEYPOINTS_SHIFT = 2.0, -0.1
"""The same of the box of the keypoints that do not bend: wrist, knuckles and the joints next to them."""
STIFF = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
WRIST, INDEX, MIDDLE, RING = 0, 5, 9, 13


def upright(wrist: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """The angle [N] by which the image is turned where a hand with its wrist there points upwards, radians."""
    ahead = towards - wrist
    return np.arctan2(ahead[:, 0], -ahead[:, 1])


def region_of_palms(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Of boxes [N,4] left, top, right, bottom and keypoints [N,7,2], of which 0 is the wrist and 2 the middle knuckle,
    regions [N,4].

    A region: centre (u, v), side, all in pixels, and angle.
    """
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return _moved(centre, size, upright(points[:, 0], points[:, 2]), PALM_SHIFT, OF_PALM)


def region_of_keypoints(keypoints: np.ndarray) -> np.ndarray:
    """Of keypoints [N,21,2] the regions [N,4] in which the same hands are looked for in the next frame."""
    knuckles = (keypoints[:, INDEX] + keypoints[:, RING]) / 4 + keypoints[:, MIDDLE] / 2
    angle = upright(keypoints[:, WRIST], knuckles)
    stiff = keypoints[:, STIFF]
    about = (stiff.min(1) + stiff.max(1)) / 2
    along = np.einsum('nij,nkj->nki', _turn(-angle), stiff - about[:, None])
    low, high = along.min(1), along.max(1)
    centre = about + np.einsum('nij,nj->ni', _turn(angle), (low + high) / 2)
    return _moved(centre, high - low, angle, KEYPOINTS_SHIFT, OF_KEYPOINTS)


def _moved(centre: np.ndarray, size: np.ndarray, angle: np.ndarray, shift: float, scale: float) -> np.ndarray:
    up = np.stack([-np.sin(angle), np.cos(angle)], 1) * (size[:, 1] * shift)[:, None]
    return np.column_stack([centre + up, size.max(1) * scale, angle])


def _turn(angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def corners(regions: np.ndarray) -> np.ndarray:
    """[N,4,2] float64 pixels: top left, top right, bottom right, bottom left of the upright hand's region."""
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return regions[:, None, :2] + np.einsum('nij,kj->nki', _turn(regions[:, 3]), square) * regions[:, 2, None, None]


def cut(image: np.ndarray, region: np.ndarray, size: int) -> np.ndarray:
    """The region [4] of an image [H,W,3] as [size,size,3]; beyond the image its border goes on."""
    to = np.array([[0, 0], [size, 0], [size, size]], np.float32)
    transform = cv2.getAffineTransform(corners(region[None])[0, :3].astype(np.float32), to)
    return cv2.warpAffine(image, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def out_of(region: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [...,2] of the region, 0 to 1, as pixels of the image."""
    return region[:2] + (points - 0.5) @ _turn(region[3:4])[0].T * region[2]


def overlap(regions: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union [N,M] of the upright boxes around regions, in [0, 1]."""
    boxes, beside = (np.concatenate([c.min(1), c.max(1)], 1) for c in (corners(regions), corners(others)))
    return np.stack([box_iou(box, beside) for box in boxes])


def upright_shape(region: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Points [K,3] in the axes of an upright hand's region, as float32 in those of the image."""
    turned = shape.astype(np.float32)
    turned[:, :2] = turned[:, :2] @ _turn(region[3:4])[0].T
    return turned
