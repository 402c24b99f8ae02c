"""synthesizer: the scene and conditions of an episode become generated video with the episode's stamps and labels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from hoigen.episodes import episode_folder
from hoigen.messages import decode
from hoigen.messages.encode import frame_names
from hoigen.records import ConditionImages, Conditions, EpisodeState, EpisodeStatus, GeneratedClip
from hoigen.ros import convert, topics
from hoigen.ros.goals import Cancelled
from hoigen.ros.nodes.base import ManagedNode, spin
from hoigen.ros.nodes.synthesis import Job, SynthesizeServer
from hoigen.ros.options.synthesizer import SynthesizerOptions
from hoigen.ros.silence import Silence
from hoigen.sources.streams.clips import ClipCollector, Ended, Rows, clip_of, stamps_of
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin
from hoigen.sources.streams.sync import ExactSync
from hoigen.video.faithful import Draws, FidelityTooLow, NothingInView, clip_seed, generate_faithful
from hoigen.video.sampling import Sampling
from hoigen.video.style import StyleError
from hoigen.video.styled import Styled, styled
from hoigen.video.views import view_conditions

POLL_S = 0.25


class Generator(Draws, Protocol):
    """What the node asks of a video model."""

    width: int
    height: int
    detailed: bool

    def condition_images(self, conditions: Conditions, sampling: Sampling) -> ConditionImages: ...


def video_model(config: SynthesizerOptions) -> Generator:
    """The model that the parameters name; raises and says what to do if its weights are not there."""
    from hoigen.video import load_generator  # torch and diffusers take seconds: not before the node configures

    return load_generator(config.model)


class Synthesizer(ManagedNode[SynthesizerOptions]):
    """Callbacks collect episodes; the worker generates one clip after the other, and publishes it."""

    def __init__(self, build: Callable[[SynthesizerOptions], Generator] = video_model, **node_kwargs: Any) -> None:
        super().__init__(topics.SYNTHESIZER, SynthesizerOptions, **node_kwargs)
        self._build = build
        self._server: SynthesizeServer | None = None

    def open(self) -> None:
        self._generator = self._build(self.config)
        self._sync = ExactSync(
            [topic.name for topic in topics.CLIP_PARTS], self._on_set, self.report, self.config.waiting
        )
        self._episodes: OrderedDict[int, Rows] = OrderedDict()
        self._progress: dict[str, object] = {}
        self._generated = self._not_admitted = 0
        for topic in topics.written_by(topics.SYNTHESIZER):
            self.advertise(topic)
        for topic in topics.CLIP_PARTS:
            self.subscribe(topic, partial(self._on_part, topic.name), self.config.input_reliability, origin=True)
        self.subscribe_to_statuses(self._on_status)
        self._server = SynthesizeServer(self, self._episodes, self._enqueue_goal)
        self._timer = self.create_timer(POLL_S, self._on_time, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self) -> None:
        self._sync.clear()
        self._collector = ClipCollector(self.config.max_frames, self._on_ended)
        self._admitted: set[int] = set()
        self._silence = Silence(POLL_S)
        self.work(self._synthesize, limit=self.config.queue)

    def stop(self) -> None:
        for job in self.end_work():
            job.end('the node stopped before its turn came')

    def release(self) -> None:
        if self._server is not None:
            self._server.destroy()
            self._server = None
        if self.configured:
            self.destroy_timer(self._timer)

    def values(self) -> dict[str, object]:
        return {
            'generated': self._generated,
            'not_admitted': self._not_admitted,
            'held': list(self._episodes),
        } | self._progress

    def _on_part(self, topic: str, message: Any, origin: Origin | None) -> None:
        self._silence.end()
        self._sync.add(topic, decode.stamp_ns(message.header), message, origin)

    def _on_set(self, stamp_ns: int, messages: dict[str, Any], origins: dict[str, Origin | None]) -> None:
        labels = origins[topics.LABELS.name]
        try:
            self._collector.add(messages, labels.publisher if labels else b'')
        except Refused as error:
            self.report(error)

    def _on_status(self, status: EpisodeStatus) -> None:
        """Drop the episode in progress that its conditions' maker skips."""
        if self.active and status.node == topics.BUILDER and status.state is EpisodeState.SKIPPED:
            self._collector.drop(status.episode)

    def _on_time(self) -> None:
        """End an episode after which nothing comes."""
        if self.active and self._silence.look() > self.config.pause:
            self._collector.end()

    def _on_ended(self, ended: Ended) -> None:
        """Admit an episode whole, or refuse it whole and let the others know."""
        if not ended.rows:
            self._skip(ended.episode, ended.stamps_ns, 'incomplete episode', ended.note)
            return
        if ended.note:
            self.diagnostics.refuse('frames left out', f'episode {ended.episode}: {ended.note}')
        self._episodes[ended.episode] = ended.rows
        while len(self._episodes) > self.config.keep:
            forgotten, rows = self._episodes.popitem(last=False)
            if forgotten not in self._admitted:
                self._skip(forgotten, stamps_of(rows), 'not asked for', 'newer episodes took its place')
        job = Job(
            ended.episode,
            ended.rows,
            self.config.seed,
            self.config.sampling(),
            self.config.acceptance(),
            self.config.style(),
            left_out=ended.note,
            automatic=True,
        )
        if self.config.automatic and not self.enqueue(job):
            self._admitted.add(ended.episode)  # what becomes of it is decided
            self._skip(ended.episode, ended.stamps_ns, 'too many clips wait', f'{self.config.queue} wait already')

    def _skip(self, episode: int, stamps_ns: tuple[int, int], reason: str, detail: str) -> None:
        """Of an episode that is not admitted nothing is generated, and nothing recorded."""
        self._not_admitted += 1
        self.diagnostics.refuse(reason, f'episode {episode} not generated: {detail}')
        self.publish_status(
            EpisodeStatus(self.get_name(), episode, EpisodeState.SKIPPED, stamps_ns, reason=f'{reason}: {detail}')
        )

    def _report(self, job: Job, state: EpisodeState, reason: str = '') -> None:
        self.publish_status(
            EpisodeStatus(self.get_name(), job.episode, state, stamps_of(job.rows), len(job.rows), reason)
        )

    def enqueue(self, job: Job) -> bool:
        """Give the worker a clip to generate; False if too many wait: of goals, or of the graph's own."""
        admitted = self.worker is not None and self.worker.put(job, lambda waiting: waiting.automatic == job.automatic)
        if admitted:
            self._admitted.add(job.episode)
        return admitted

    def _enqueue_goal(self, job: Job) -> None:
        if not self.enqueue(job):
            job.end('too many clips wait already')

    def _synthesize(self, job: Job) -> None:  # worker thread
        try:
            with self.diagnostics.stage('synthesize'):
                scene = styled(clip_of(job.rows), job.style.of(episode_folder(Path(), job.episode).name))
                generator = self._generator
                [conditions] = view_conditions(
                    [scene], width=generator.width, height=generator.height, detail=generator.detailed
                )
                clip = self._generate(job, scene, conditions)
            self._send(job, conditions, clip)
            self._generated += 1
            job.end(clip)
        except Cancelled:
            job.end('cancelled')
        except FidelityTooLow as error:
            self._reject(job, scene, conditions, error)
        except Exception as error:
            job.end(str(error) or type(error).__name__)
            what = f'episode {job.episode} not generated: {error}'
            if not job.automatic:
                raise Refused('goal not done', what) from error
            for kind, reason in ((NothingInView, 'nothing in view'), (StyleError, 'its style does not fit')):
                if isinstance(error, kind):
                    self._skip(job.episode, stamps_of(job.rows), reason, str(error))
                    return
            self._report(job, EpisodeState.FAILED, what)
            raise RuntimeError(what) from error
        finally:
            self._progress = {}

    def _generate(self, job: Job, scene: Styled, conditions: Conditions) -> GeneratedClip:
        def show(progress: dict[str, object]) -> None:
            self._progress = {'episode': job.episode} | progress

        made = generate_faithful(
            self._generator,
            conditions,
            scene.clip.labels,
            seed=clip_seed(job.seed, job.episode),
            sampling=job.sampling,
            acceptance=job.acceptance,
            on_step=job.follow(self.stopping, show),
        )
        return self._told(job, scene, made)

    def _told(self, job: Job, scene: Styled, made: GeneratedClip) -> GeneratedClip:
        """The clip, its provenance with what the node knows: for which episode, asked for how, of whose scene."""
        config = {
            **made.provenance.config,
            **scene.provenance,
            'episode': job.episode,
            'seed': job.seed,
            'frames': len(job.rows),
            'stamps_ns': stamps_of(job.rows),
            'left_out': job.left_out,
        }
        source = self.publishers_of(topics.IMAGE)
        return replace(made, provenance=replace(made.provenance, config=config, source=source))

    def _reject(self, job: Job, scene: Styled, conditions: Conditions, error: FidelityTooLow) -> None:
        """Publish the best clip under topics of its own; nothing of a goal, whose episode may be asked for again."""
        error.clips = [self._told(job, scene, clip) for clip in error.clips]
        job.end(error)
        self.diagnostics.refuse('fidelity too low', f'episode {job.episode} rejected: {error}')
        if job.automatic:
            self._send(job, conditions, error.clips[0], str(error))

    def _send(self, job: Job, conditions: Conditions, clip: GeneratedClip, rejection: str = '') -> None:
        """Publish the frames, how they were made, what the model read for them, and what became of the episode."""
        images = self._generator.condition_images(conditions, job.sampling)
        self.wait_for_readers(self.config.wait_for)
        self.publish(
            {
                topics.SYNTH_CONDITIONS.name: convert.ENCODER.condition_images(
                    images, stamps_of(job.rows)[0], job.episode
                ),
                topics.PROVENANCE.name: convert.ENCODER.provenance(clip.provenance),
            }
        )
        for row in range(len(clip.frames)):
            names = frame_names(job.rows[row])
            self.publish(convert.ENCODER.generated(clip, row, names, rejected=bool(rejection)))
        self._report(job, EpisodeState.REJECTED if rejection else EpisodeState.ACCEPTED, rejection)


def main() -> int:
    return spin(Synthesizer)
