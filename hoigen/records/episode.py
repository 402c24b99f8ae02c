"""What every job ends in: a scene, the frames that were made of it, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hoigen.records.check import Check, RecordError
from hoigen.records.clip import Clip
from hoigen.records.edited_clip import EditedClip
from hoigen.records.episode_status import EpisodeState, EpisodeStatus
from hoigen.records.generated_clip import GeneratedClip
from hoigen.records.mesh_asset import MeshAsset
from hoigen.records.mesh_frame import MeshFrame
from hoigen.records.provenance import Provenance

ConditionImages = Mapping[str, Mapping[int, bytes]]
"""Small images (WebP files) of what a generator read, for the eye alone: by condition, of each frame by its stamp."""


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode of T frames, as its bag holds it; what it has not is None or ().

    clip: the scene with its conditions and labels. clip_provenance: how that was found or edited, None of a simulated
    scene. assets, mesh_frames: the scene's meshes and where they are in each frame; both empty where they are not
    known; a mesh of a recording is missing in frames in which it is not known. depth_m: [T,H,W] float32 as the camera
    measured it, NaN unknown. generated: frames that a model made of it, with their fidelity and provenance. rejected:
    in their place, the best frames where none may be kept. edited: frames of it after an edit. status: what became of
    it, None if nothing was to be made. condition_images: what the generator read, of generated and of rejected frames.
    """

    clip: Clip
    clip_provenance: Provenance | None = None
    assets: tuple[MeshAsset, ...] = ()
    mesh_frames: tuple[MeshFrame, ...] = ()
    depth_m: np.ndarray | None = None
    generated: GeneratedClip | None = None
    rejected: GeneratedClip | None = None
    edited: EditedClip | None = None
    status: EpisodeStatus | None = None
    condition_images: ConditionImages = field(default_factory=dict)

    def __post_init__(self) -> None:
        check, (frames, height, width) = Check('Episode'), self.clip.depth_m.shape
        placed = len(self.mesh_frames)
        check.that(placed == (frames if self.assets else 0), 'mesh_frames', f'{frames}, or none and no assets', placed)
        ids = {asset.id for asset in self.assets}
        placed_ids = [places.poses.keys() | places.vertices.keys() for places in self.mesh_frames]
        recorded = self.clip_provenance is not None
        wrong = [t for t, here in enumerate(placed_ids) if not (here <= ids if recorded else here == ids)]
        check.that(not wrong, 'mesh_frames', f'the assets {sorted(ids)}', f'others in frames {wrong[:5]}')
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', (frames, height, width), finite=False)
        made = {
            name: frames for name in ('generated', 'rejected', 'edited') if (frames := getattr(self, name)) is not None
        }
        for name, frames_of in made.items():
            same = np.array_equal(frames_of.stamps_ns, self.clip.stamps_ns)
            check.that(same, f'{name}.stamps_ns', "the clip's", 'others')
        check.that(len(made) < 2, 'generated, rejected, edited', 'one of them at most', ' and '.join(made))
        known = set(self.clip.stamps_ns.tolist())
        differ = sorted(name for name, images in self.condition_images.items() if images.keys() != known)
        check.that(not differ, 'condition_images', "the clip's stamps", f'others of {differ}')
        state = None if self.status is None else self.status.state
        agree = (state is EpisodeState.REJECTED) == (self.rejected is not None)
        check.that(agree, 'status', 'rejected where the frames are, else not', repr(state))
        check.done()

    @property
    def provenance(self) -> Provenance | None:
        """How the generated or edited frames were made, or those that were rejected."""
        frames = self.generated or self.rejected or self.edited
        return None if frames is None else frames.provenance

    def scene(self) -> Episode:
        """The scene alone, from which something may be made: after its edit, where it was edited.

        Raises :class:`RecordError` where only the images were edited: their conditions would not be true of them.
        """
        if self.edited is None:
            return replace(self, generated=None, rejected=None, status=None, condition_images={})
        if self.edited.scene is None:
            raise RecordError(
                'edited frames: expected their conditions (edit/condition/points, ...), got none: pose_editor edits '
                'frames one by one; `hoigen edit` on the recorded scene makes them too'
            )
        return Episode(self.edited.scene, self.edited.provenance)
