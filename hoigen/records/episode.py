"""What every job ends in: a scene, the frames that were made of it, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.check import Check
from hoigen.records.clip import Clip
from hoigen.records.episode_status import EpisodeState, EpisodeStatus
from hoigen.records.generated_clip import GeneratedClip
from hoigen.records.mesh_asset import MeshAsset
from hoigen.records.mesh_frame import MeshFrame
from hoigen.records.provenance import Provenance

__all__ = ['Episode']


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode of T frames, as its bag holds it; what it has not is None or ().

    clip: the scene with its conditions and labels. clip_provenance: how that was found or edited, None of a simulated
    scene. assets, mesh_frames: the scene's meshes and where they are in each frame; both empty where they are not
    known. depth_m: [T,H,W] float32 as the camera measured it, NaN unknown. generated: frames that a model made of it,
    with their fidelity and provenance. rejected: in their place, how the best frames were made where none may be kept.
    status: what became of it, None if nothing was to be made.
    """

    clip: Clip
    clip_provenance: Provenance | None = None
    assets: tuple[MeshAsset, ...] = ()
    mesh_frames: tuple[MeshFrame, ...] = ()
    depth_m: np.ndarray | None = None
    generated: GeneratedClip | None = None
    rejected: Provenance | None = None
    status: EpisodeStatus | None = None

    def __post_init__(self) -> None:
        check, (frames, height, width) = Check('Episode'), self.clip.depth_m.shape
        placed = len(self.mesh_frames)
        check.that(placed == (frames if self.assets else 0), 'mesh_frames', f'{frames}, or none and no assets', placed)
        ids = {asset.id for asset in self.assets}
        wrong = [t for t, places in enumerate(self.mesh_frames) if ids != places.poses.keys() | places.vertices.keys()]
        check.that(not wrong, 'mesh_frames', f'the assets {sorted(ids)}', f'others in frames {wrong[:5]}')
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', (frames, height, width), finite=False)
        if self.generated is not None:
            same = np.array_equal(self.generated.stamps_ns, self.clip.stamps_ns)
            check.that(same, 'generated.stamps_ns', "the clip's", 'others')
        both = self.generated is not None and self.rejected is not None
        check.that(not both, 'generated, rejected', 'one of them at most', 'both')
        state = None if self.status is None else self.status.state
        agree = (state is EpisodeState.REJECTED) == (self.rejected is not None)
        check.that(agree, 'status', 'rejected where the frames are, else not', repr(state))
        check.done()

    @property
    def provenance(self) -> Provenance | None:
        """How the generated frames were made, or those that were rejected."""
        return self.rejected if self.generated is None else self.generated.provenance
