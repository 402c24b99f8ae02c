"""How to sample, and which samples are kept: the settings of one generation, the same for every model."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

Look = Literal['image', 'scene', 'words']
CONDITIONS: tuple[Literal['points', 'tracking', 'coloured'], ...] = ('points', 'tracking', 'coloured')


@dataclass(frozen=True)
class Sampling:
    """How to sample; what is None is as the model's own configuration has it (:meth:`over`)."""

    steps: int | None = None
    """Denoising steps, >= 1; none: the model's."""
    guidance: float | None = None
    """Classifier-free guidance scale on the text, >= 1; 1: off; none: the model's."""
    dynamic_guidance: bool | None = None
    """Change the guidance on the text from step to step, as diffusers' CogVideoX pipelines can; none: as the model."""
    negative_prompt: str | None = None
    """Text that the guidance leads away from; none: the model's."""
    conditions: tuple[Literal['points', 'tracking', 'coloured'], ...] | None = None
    """What the control branch reads of the scene, the backbone alone if empty; none: all that the branch has learnt."""
    look: Look | None = None
    """What tells how the video looks: its first image, the empty scene, or the prompt alone; none: as the model."""
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
        named = self.conditions or ()
        unknown = [c for c in named if c not in CONDITIONS]
        finite = all(math.isfinite(x) for x in (self.guidance or 1, self.strength, self.control_guidance))
        checks = (
            (self.steps is None or self.steps >= 1, 'steps', '>= 1', self.steps),
            (
                finite and (self.guidance is None or self.guidance >= 1),
                'guidance',
                'a number >= 1 (1: off)',
                self.guidance,
            ),
            (
                self.guidance != 1 or not self.dynamic_guidance,
                'dynamic_guidance',
                'a guidance > 1 that it can change',
                self.guidance,
            ),
            (
                self.guidance != 1 or not self.negative_prompt,
                'negative_prompt',
                'a guidance > 1 that leads away from it',
                self.guidance,
            ),
            (not unknown, 'conditions', f'names from {CONDITIONS}', unknown),
            (len(set(named)) == len(named), 'conditions', 'each once', named),
            (
                self.by_image or 'coloured' not in named,
                'conditions',
                'no coloured points, which have the colours of the first image, beside another look',
                named,
            ),
            (finite and self.strength >= 0, 'strength', 'a number >= 0', self.strength),
            (0 <= self.start < self.end <= 1, 'start, end', '0 <= start < end <= 1', (self.start, self.end)),
            (
                finite and self.control_guidance >= 1,
                'control_guidance',
                'a number >= 1 (1: off)',
                self.control_guidance,
            ),
            (
                self.conditions != () or self.control_guidance == 1,
                'control_guidance',
                '1 without conditions',
                self.control_guidance,
            ),
            (self.overlap is None or self.overlap >= 1, 'overlap', '>= 1', self.overlap),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ValueError('Sampling: ' + '; '.join(faults))

    @property
    def by_image(self) -> bool:
        """Whether the first image tells the look; coloured points, which carry its colours, are read only then."""
        return self.look in (None, 'image')

    def reads(self, condition: str) -> bool:
        """Whether the control branch is to read a condition."""
        return condition in (self.conditions or ())

    def over(self, model: Sampling) -> Sampling:
        """These settings where they are given, else those of ``model``.

        Of a guidance that is off nothing more, and no coloured points where the first image does not tell the look.
        """
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        off: dict[str, Any] = {'dynamic_guidance': False, 'negative_prompt': ''} if self.guidance == 1 else {}
        if not self.by_image and self.conditions is None:
            off['conditions'] = tuple(c for c in model.conditions or () if c != 'coloured')
        return replace(model, **(off | given))


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
