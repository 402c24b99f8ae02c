"""Options of sim_source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hoigen.ros.declare import AwaitsReaders, Seeded, param

if TYPE_CHECKING:
    from hoigen.sources.mujoco import MujocoConfig


@dataclass(frozen=True)
class SimSourceOptions(AwaitsReaders, Seeded):
    """Which episodes are simulated, and how fast."""

    episodes: int = param(3, 'Episodes to make.', low=1, high=1_000_000)
    first_episode: int = param(0, 'Number of the first one.', low=0, high=1_000_000)
    task: str = param('any', 'Interaction to simulate, or any.')
    camera: str = param('front', 'Camera to render from.')
    width: int = param(720, 'Width of the image.', unit='pixels', low=16, high=4096)
    height: int = param(480, 'Height of the image.', unit='pixels', low=16, high=4096)
    frames: int = param(17, 'Frames of an episode.', low=1, high=1000)
    frame_rate: float = param(8.0, 'Frames per second of the scene.', unit='Hz', low=0.1, high=1000.0)
    rate: float = param(1.0, 'Pace relative to real time; 0 is as fast as the simulator can.', low=0.0, high=1000.0)
    ahead: int = param(
        0,
        'Episodes streamed before the first of them is generated, edited or, alone, conditioned; 0 does not wait.',
        low=0,
        high=1000,
    )

    def simulation(self) -> MujocoConfig:
        """What of it concerns the core; raises ConfigError for names that it does not know."""
        from hoigen.sources.mujoco import MujocoConfig  # not for help

        return MujocoConfig(
            width=self.width,
            height=self.height,
            frames=self.frames,
            rate_hz=self.frame_rate,
            camera=self.camera,
            task=self.task,
        )

    def check(self) -> None:
        self.simulation()
