"""How to sample, and which samples are kept: the settings of one generation, the same for every model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

CONDITIONS: tuple[Literal['points', 'tracking', 'coloured'], ...] = ('points', 'tracking', 'coloured')


@dataclass(frozen=True)
class Sampling:
    """How to sample."""

    steps: int | None = None
    """Denoising steps, >= 1; none: the model's."""
    guidance: float = 1.0
    """Classifier-free guidance scale on the text, >= 1; 1: off."""
    dynamic_guidance: bool = False
    """Change the guidance on the text from step to step, as diffusers' CogVideoX pipelines can."""
    conditions: tuple[Literal['points', 'tracking', 'coloured'], ...] = CONDITIONS
    """What the control branch reads of the scene; none: the backbone alone."""
    strength: float = 1.0
    """Scale of what the control branch adds, >= 0."""
    start: float = 0.0
    """Fraction of the steps after which the control branch begins to add, 0 to 1."""
    end: float = 1.0
    """Fraction of the steps after which the control branch ends, 0 to 1."""
    control_guidance: float = 1.0
    """Guidance scale on the conditions, >= 1; 1: off. Higher values follow them more closely."""
    overlap: int | None = None
    """Latents (4 frames each) that windows of a long clip share, >= 1; none: a quarter of a window."""

    def __post_init__(self) -> None:
        unknown = [c for c in self.conditions if c not in CONDITIONS]
        finite = all(math.isfinite(x) for x in (self.guidance, self.strength, self.control_guidance))
        checks = (
            (self.steps is None or self.steps >= 1, 'steps', '>= 1', self.steps),
            (finite and self.guidance >= 1, 'guidance', 'a number >= 1 (1: off)', self.guidance),
            (
                not self.dynamic_guidance or self.guidance > 1,
                'dynamic_guidance',
                'a guidance > 1 that it can change',
                self.guidance,
            ),
            (not unknown, 'conditions', f'names from {CONDITIONS}', unknown),
            (len(set(self.conditions)) == len(self.conditions), 'conditions', 'each once', self.conditions),
            (finite and self.strength >= 0, 'strength', 'a number >= 0', self.strength),
            (0 <= self.start < self.end <= 1, 'start, end', '0 <= start < end <= 1', (self.start, self.end)),
            (
                finite and self.control_guidance >= 1,
                'control_guidance',
                'a number >= 1 (1: off)',
                self.control_guidance,
            ),
            (
                bool(self.conditions) or self.control_guidance == 1,
                'control_guidance',
                '1 without conditions',
                self.control_guidance,
            ),
            (self.overlap is None or self.overlap >= 1, 'overlap', '>= 1', self.overlap),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ValueError('Sampling: ' + '; '.join(faults))


DEFAULT = Sampling()


@dataclass(frozen=True)
class Acceptance:
    """Which clips are kept."""

    min_fidelity: float = 0.5
    """Least mean fidelity of a clip's frames, 0 to 1; 0 keeps every clip of which it can be measured."""
    tries: int = 3
    """Seeds that are drawn before the scene is given up, 1 to 100."""

    def __post_init__(self) -> None:
        checks = (
            (0 <= self.min_fidelity <= 1, 'min_fidelity', 'in [0, 1]', self.min_fidelity),
            (1 <= self.tries <= 100, 'tries', 'in [1, 100]', self.tries),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ValueError('Acceptance: ' + '; '.join(faults))


ACCEPTANCE = Acceptance()
