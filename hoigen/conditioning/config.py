"""What can be chosen when scene frames become a clip, and how bad scene frames are refused."""

from __future__ import annotations

from dataclasses import dataclass


class ConditioningError(ValueError):
    """A scene frame or a set of assets cannot be conditioned on; what was built before stays as it is."""


@dataclass(frozen=True)
class ConditioningConfig:
    """Settings of the surface samples and their labels."""

    points: int = 8192
    """Surface samples N in all."""
    tracks: int = 1024
    """Samples M that are published as tracks, 1 to N."""
    seed: int = 0
    """Seed that chooses the samples."""
    contact_distance_m: float = 0.005
    """Hand and object are in contact below this distance, metres."""
    visibility_tolerance_m: float = 0.001
    """A sample at most this far behind the drawn surface counts as visible, metres."""
    min_agreement: float = 0.5
    """Fraction of the pixels of hand or object that must have the meshes' depth, 0 to 1; an episode below it, or
    whose images show a known slip, is refused. 0 refuses none."""
    hand_share: float = 0.45
    """Fraction of the samples on hands; a role that a scene lacks leaves its samples to the others."""
    object_share: float = 0.30
    """Fraction of the samples on objects; hands and objects together below 1, the rest on the scene."""

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
