"""Options of synthesizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoigen.ros.declare import AwaitsReaders, ReadsStreams, Seeded, param, refuse_missing
from hoigen.video.sampling import ACCEPTANCE, CONDITIONS, Acceptance, Sampling
from hoigen.video.style import Style

LEARNT = 'learnt'
"""In place of the names of conditions."""


@dataclass(frozen=True)
class SynthesizerOptions(AwaitsReaders, ReadsStreams, Seeded):
    """How video is generated, and which clips are kept."""

    model: str = param('tiny', 'Model that generates; a name in config/models or the folder of a trained one.')
    prompt: str = param(
        '', 'Text that the video is to show, for models that read text; empty takes the task of each episode.'
    )
    first_image: str = param(
        '',
        'Image in place of frame 0, in any look, with hand and object where the source has them; or a folder that has '
        'one for each episode (episode_0000.png).',
    )
    background: str = param(
        '',
        "Image of the first image's scene without hand and object, whose camera stands still; or a folder with one for "
        'each episode.',
    )
    steps: int = param(0, 'Denoising steps; 0 takes what the model says.', low=0, high=1000)
    conditions: tuple[str, ...] = param(
        (LEARNT,),
        'What the model reads of the scene beside its first image; learnt is all that it was trained with, none is '
        'the backbone alone.',
        choices=(LEARNT, *CONDITIONS),
    )
    look: str = param(
        'model',
        'What tells how the video looks: its first image, the empty scene (background), or words (prompt) alone; model '
        'takes what the model does by default.',
        choices=('model', 'image', 'scene', 'words'),
    )
    strength: float = param(1.0, 'Scale of what the conditions add.', low=0.0, high=100.0)
    control_start: float = param(0.0, 'Fraction of the steps after which conditions begin to add.', low=0.0, high=1.0)
    control_end: float = param(1.0, 'Fraction of the steps after which they end.', low=0.0, high=1.0)
    control_guidance: float = param(1.0, 'Guidance on the conditions; 1 is off.', low=1.0, high=100.0)
    guidance: float = param(
        0.0, 'Classifier-free guidance on the text; 1 is off, 0 takes what the model says.', low=0.0, high=100.0
    )
    dynamic_guidance: str = param(
        'model',
        'Change the guidance on the text from step to step; model is as the model says.',
        choices=('model', 'on', 'off'),
    )
    negative_prompt: str = param('', "Text that the guidance leads away from; empty takes the model's, a space none.")
    min_fidelity: float = param(
        ACCEPTANCE.min_fidelity,
        'A clip of lower mean fidelity is rejected and the next seed drawn; 0 keeps every clip.',
        low=0.0,
        high=1.0,
    )
    tries: int = param(
        ACCEPTANCE.tries,
        'Seeds drawn before an episode is given up; it is then recorded without generated frames.',
        low=1,
        high=100,
    )
    automatic: bool = param(True, 'Generate every episode when its last frame has come.')
    keep: int = param(4, 'Episodes that are kept for the synthesize action.', low=1, high=1000)
    queue: int = param(4, 'Clips that may wait, and goals; further ones are refused.', low=1, high=1000, read_only=True)
    waiting: int = param(512, 'Frames that may wait for their parts; further ones are refused.', low=1, high=100_000)
    max_frames: int = param(300, 'Frames of an episode; further ones are refused.', low=1, high=100_000)
    pause: float = param(
        30.0,
        'An episode without a last frame ends where nothing comes for this long.',
        unit='s',
        low=0.01,
        high=3600.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sampling()

    def sampling(self) -> Sampling:
        """How to sample."""
        conditions: Any = None if self.conditions == (LEARNT,) else self.conditions
        look: Any = None if self.look == 'model' else self.look
        return Sampling(
            steps=self.steps or None,
            conditions=conditions,
            look=look,
            strength=self.strength,
            start=self.control_start,
            end=self.control_end,
            control_guidance=self.control_guidance,
            guidance=self.guidance or None,
            dynamic_guidance={'model': None, 'on': True, 'off': False}[self.dynamic_guidance],
            negative_prompt=self.negative_prompt or None,
        )

    def style(self) -> Style:
        """How the video looks."""
        return Style(
            self.prompt,
            Path(self.first_image) if self.first_image else None,
            Path(self.background) if self.background else None,
        )

    def acceptance(self) -> Acceptance:
        """Which clips are kept."""
        return Acceptance(self.min_fidelity, self.tries)

    def check(self) -> None:
        from hoigen.video.configuration import read_config, refuse_prompt  # not for help

        read_config(self.model)
        refuse_prompt(self.model, self.prompt)
        refuse_missing(first_image=self.first_image, background=self.background)
