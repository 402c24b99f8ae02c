"""What can be chosen when scene frames become a clip, and how bad scene frames are refused."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['ConditioningConfig', 'ConditioningError']


class ConditioningError(ValueError):
    """A scene frame or a set of assets cannot be conditioned on; what was built before stays as it is."""


@dataclass(frozen=True)
class ConditioningConfig:
    """Settings of the surface samples and their labels.

    points: samples N in all. tracks: how many M of them are published as tracks. seed: chooses the samples.
    contact_distance_m: hand and object are in contact below it. visibility_tolerance_m: a sample this far behind the
    drawn surface is still on it. min_agreement: an episode is refused when a smaller part of the pixels of hand or
    object has the meshes' depth, or when its images show a known slip; 0 refuses none. hand_share, object_share: parts
    of N on each role, the rest on the scene; a role that a scene lacks leaves its part to the others.
    """

    points: int = 8192
    tracks: int = 1024
    seed: int = 0
    contact_distance_m: float = 0.005
    visibility_tolerance_m: float = 0.001
    min_agreement: float = 0.5
    hand_share: float = 0.45
    object_share: float = 0.30

    def __post_init__(self) -> None:
        checks = (
            (self.points >= 1, 'points', '>= 1', self.points),
            (1 <= self.tracks <= self.points, 'tracks', f'in [1, {self.points}]', self.tracks),
            (self.seed >= 0, 'seed', '>= 0', self.seed),
            (self.contact_distance_m > 0, 'contact_distance_m', '> 0', self.contact_distance_m),
            (self.visibility_tolerance_m > 0, 'visibility_tolerance_m', '> 0', self.visibility_tolerance_m),
            (0 <= self.min_agreement <= 1, 'min_agreement', 'in [0, 1]', self.min_agreement),
            (
                self.hand_share > 0 and self.object_share > 0 and self.hand_share + self.object_share < 1,
                'hand_share, object_share',
                'positive parts with a sum < 1',
                (self.hand_share, self.object_share),
            ),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ConditioningError('ConditioningConfig: ' + '; '.join(faults))
