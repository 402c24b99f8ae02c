"""pose_editor: an object put into the frames of a stream at a 6DoF pose, with labels that are true of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hoigen.editing.editor import Editor
from hoigen.editing.placement import PlacementError
from hoigen.editing.records import Edited, Subject
from hoigen.geometry.trajectory import read_trajectory
from hoigen.messages import decode
from hoigen.records import EpisodeState, EpisodeStatus, Provenance
from hoigen.ros import convert, topics
from hoigen.ros.edits import PARTS, Instant, Poses, Seen, edited_frame, seen_of, untouched
from hoigen.ros.goals import Cancelled
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.nodes.pose_editing import EditPoseServer, Job, Made
from hoigen.ros.options.pose_editor import PoseEditorOptions, choose_inputs
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin
from hoigen.sources.streams.stretches import stamp_of
from hoigen.sources.streams.sync import ExactSync


def insertion(config: PoseEditorOptions) -> tuple[Editor, Subject]:
    """The model and the object that the parameters name; raises and says what to do if weights are not there."""
    from hoigen.editing.flux_insertion.inserter import load_inserter  # torch takes seconds: not before it configures

    return load_inserter(config.model), chosen_subject(config)


def chosen_subject(config: PoseEditorOptions) -> Subject:
    """The object that the parameters name; raises PlacementError for one that there is not."""
    from hoigen.editing.meshes.things import made_thing
    from hoigen.editing.subjects.from_files import SubjectOptions, mesh_subject, subject_of

    size: Any = config.size or None
    images = tuple(map(Path, config.images))
    if size is None and not Path(config.object).suffix:
        mesh, caption = made_thing(config.object, config.seed)
        return mesh_subject(mesh, config.caption or caption, config.seed)
    mesh_file = Path(config.object) if size is None else None
    return subject_of(SubjectOptions(mesh_file, config.scale, size, images, config.caption), config.seed)


class PoseEditor(ManagedNode[PoseEditorOptions]):
    """Callbacks put the messages of an instant together and pair it with a pose; the worker edits the newest."""

    def __init__(
        self, build: Callable[[PoseEditorOptions], tuple[Editor, Subject]] = insertion, **node_kwargs: Any
    ) -> None:
        super().__init__(topics.EDITOR, PoseEditorOptions, **node_kwargs)
        self._build = build
        self._server: EditPoseServer | None = None

    def open(self) -> None:
        options = self.config.pose()
        if self.config.unedited and options is None:
            raise ValueError('pose: expected a position or a trajectory, so that every frame has one, got none')
        self._trajectory = read_trajectory(options.trajectory) if options and options.trajectory else None
        self._inserter, self._subject = self._build(self.config)
        self._about = {name: getattr(self.config, name) for name in ('object', 'scale', 'size', 'images')}
        self._about['caption'] = self._subject.caption
        self._progress: dict[str, object] = {}
        self._edited = 0
        for topic in topics.written_by(topics.EDITOR):
            self.advertise(topic)
        for topic in PARTS:
            self.subscribe(topic, partial(self._on_part, topic.name), self.config.input_reliability, origin=True)
        self.subscribe(topics.EDIT_POSE, self._on_pose)
        self._server = EditPoseServer(self, self._find, self._enqueue)

    def start(self) -> None:
        self._inputs: tuple[str, ...] = ()
        self._sync = ExactSync((), self._on_set, self.report)
        self._poses = Poses(self._trajectory)
        self._kept: OrderedDict[int, Instant] = OrderedDict()
        self._placed_in: int | None = None
        self._begun: tuple[int | None, int] | None = None
        self.work(self._edit, limit=self.config.queue)

    def stop(self) -> None:
        for job in self.end_work():
            job.end('the node stopped before its turn came')

    def release(self) -> None:
        if self._server is not None:
            self._server.destroy()
            self._server = None

    def values(self) -> dict[str, object]:
        return {'edited': self._edited} | self._progress

    def _on_pose(self, message: Any) -> None:
        self._poses.tell(message)

    def _on_part(self, topic: str, message: Any, origin: Origin | None) -> None:
        if self._sync.empty:
            self._choose_inputs()
        if topic in self._inputs:
            self._sync.add(topic, decode.stamp_ns(message.header), message, origin)
        elif not self._inputs and topic == topics.IMAGE.name:
            self.diagnostics.refuse(
                'no depth', 'expected camera/depth or condition/depth with camera/image, but nobody publishes them'
            )

    def _choose_inputs(self) -> None:
        """What the next instant consists of: what was asked for, or what somebody publishes."""
        names = set(self.config.inputs)
        if 'auto' in names:
            names |= {topic.name for topic in PARTS if self.count_publishers(self.resolve_topic_name(topic.name))}
        chosen = choose_inputs(names)
        if chosen != self._inputs:
            self._inputs = chosen
            self._sync = ExactSync(chosen, self._on_set, self.report, self.config.waiting)

    def _on_set(self, stamp_ns: int, instant: dict[str, Any], origins: dict[str, Origin | None]) -> None:
        self._kept.pop(stamp_ns, None)
        self._kept[stamp_ns] = instant
        while len(self._kept) > self.config.keep:
            self._kept.popitem(last=False)
        try:
            pose = self._poses.at(instant, self.config.pose())
        except ValueError as error:
            self.report(error if isinstance(error, Refused) else Refused('no pose', f'{stamp_ns} ns: {error}'))
            return
        if pose is not None and self.config.automatic:
            self._enqueue(Job(instant, pose, self.config.seed, self.config.steps or None, automatic=True))

    def _find(self, stamp_ns: int) -> Instant:
        if stamp_ns in self._kept:
            return self._kept[stamp_ns]
        if stamp_ns or not self._kept:
            raise Refused(
                'no frame',
                f'expected one of the {len(self._kept)} frames that are kept'
                + (f', {min(self._kept)} to {max(self._kept)} ns' if self._kept else '')
                + (f', got {stamp_ns} ns' if stamp_ns else ', none has come'),
            )
        return next(reversed(self._kept.values()))

    def _enqueue(self, job: Job) -> None:
        """Give the worker a frame to edit; where too many wait, the oldest that nobody asked for is dropped."""
        dropped = job if self.worker is None else self.worker.put_newest(job)
        if dropped is None:
            return
        if dropped.automatic:
            self.diagnostics.refuse(
                'too slow', f'frame at {stamp_of(dropped.instant)} ns: newer ones came before its turn'
            )
            self._lost(dropped.instant, 'its last frame came while too many waited')
        elif job.automatic:
            self._enqueue(dropped)  # drops the next oldest; ends at the latest with the automatic one
        else:
            dropped.end('newer goals came before its turn')

    def _edit(self, job: Job) -> None:  # worker thread
        try:
            seen = seen_of(job.instant)
            try:
                edited = self._insert(job, seen)
            except PlacementError as error:
                edited = self._unplaced(job, seen, error)
            self._send(job, seen, edited)
        except Cancelled:
            job.end('cancelled' if job.cancelled else 'the node stopped')
        except Exception as error:
            job.end(str(error) or type(error).__name__)
            if job.automatic:
                self._lost(job.instant, str(error))
            if isinstance(error, Refused):
                raise
            what = f'frame at {stamp_of(job.instant)} ns not edited: {error}'
            raise (RuntimeError(what) if job.automatic else Refused('goal not done', what)) from error
        finally:
            self._progress = {}

    def _insert(self, job: Job, seen: Seen) -> Edited:
        def show(progress: dict[str, object]) -> None:
            self._progress = progress | ({'episode': seen.labels.episode} if seen.labels else {})

        with self.diagnostics.stage('edit'):
            edited = self._inserter.insert(
                seen.rgb,
                seen.depth_m,
                seen.camera,
                self._subject,
                job.T_world_object,
                seed=job.seed,
                steps=job.steps,
                on_step=job.follow(self.stopping, show),
            )
        if seen.labels is not None:
            self._placed_in = seen.labels.episode
        return edited

    def _unplaced(self, job: Job, seen: Seen, error: PlacementError) -> Edited:
        """The frame as it is, where that is wanted; raises :class:`Refused` elsewhere."""
        refused = Refused('not placed', f'frame at {seen.stamp_ns} ns: {error}')
        if not (job.automatic and self.config.unedited):
            raise refused from error
        self.report(refused)
        if seen.labels is not None and seen.labels.last and seen.labels.episode != self._placed_in:
            self.diagnostics.fail(f'episode {seen.labels.episode}: the object is in none of its frames: {error}')
        return untouched(seen, job.T_world_object, self._inserter.provenance(job.seed, job.steps))

    def _send(self, job: Job, seen: Seen, edited: Edited) -> None:
        if not self._edited:
            self.wait_for_readers(self.config.wait_for)
        provenance = convert.ENCODER.provenance(self._provenance(seen, edited.provenance))
        episode = None if seen.labels is None else seen.labels.episode
        if job.automatic and (self._begun is None or self._begun[0] != episode):
            self._begun = episode, seen.stamp_ns
            mesh = convert.ENCODER.assets((self._subject.mesh,), seen.stamp_ns, episode or 0)
            self.publish({topics.EDIT_MESH_ASSETS.name: mesh, topics.EDIT_PROVENANCE.name: provenance})
        messages = convert.ENCODER.edited(edited_frame(seen, edited, self._subject.caption), seen.names)
        self.publish(messages)
        self._edited += 1
        if seen.labels is not None and seen.labels.last:
            self._report(seen.labels.episode, seen.stamp_ns)
        job.end(Made(messages, provenance.data))

    def _report(self, episode: int, last_ns: int) -> None:
        """The last frame of an episode is published."""
        begun, begun_ns = self._begun or (None, last_ns)
        first_ns = min(begun_ns, last_ns) if begun == episode else last_ns
        self.publish_status(EpisodeStatus(self.get_name(), episode, EpisodeState.ACCEPTED, (first_ns, last_ns)))

    def _lost(self, instant: Instant, reason: str) -> None:
        """A frame is not edited: an episode that it would have ended is not made, and nobody waits for it."""
        labels = instant.get(topics.LABELS.name)
        if labels is not None and labels.last:
            stamp_ns = stamp_of(instant)
            self.publish_status(
                EpisodeStatus(
                    self.get_name(), labels.episode, EpisodeState.SKIPPED, (stamp_ns, stamp_ns), reason=reason
                )
            )

    def _provenance(self, seen: Seen, made: Provenance) -> Provenance:
        """With what the node knows: of whose scene, with which object."""
        told = self._about | ({'episode': seen.labels.episode} if seen.labels else {})
        return replace(made, config=made.config | told, source=self.publishers_of(topics.IMAGE))


def main() -> int:
    return spin(PoseEditor)
