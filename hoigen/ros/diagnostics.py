"""What a node says about itself once a second: age of its input, counts, refusals by reason, queue, latency."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

PERIOD_S = 1.0
STALE_S = 5.0
QUIET_S = 5.0
"""A reason for refusing input is logged at once, then at most this often; the counts stay exact."""

Values = Mapping[str, object]


class Diagnostics:
    """Counts what a node receives and refuses, and publishes it at 1 Hz of the steady clock.

    ``received``, ``refuse``, ``fail``, ``caution`` and ``stage`` may be called from any thread. ``more`` gives the
    node's own values (queue length, progress ...) and is called on the executor's thread.
    """

    def __init__(self, node: Node, qos: QoSProfile, more: Callable[[], Values]) -> None:
        self._node, self._more = node, more
        self._lock = threading.Lock()
        self._received_at: float | None = None
        self._counts: Counter[str] = Counter()
        self._latency_ms: dict[str, float] = {}
        self._logged: dict[str, tuple[float, int]] = {}
        self._refused_before = 0
        self._failure = self._caution = self._refusal = ''
        self._publisher = node.create_publisher(DiagnosticArray, 'diagnostics', qos)
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def received(self) -> None:
        """One input message has come."""
        with self._lock:
            self._received_at = time.monotonic()
            self._counts['received'] += 1

    def refuse(self, reason: str, detail: object) -> None:
        """Count an input that is refused and log it as an error. ``reason``: a short constant to count by."""
        now = time.monotonic()
        with self._lock:
            self._counts['refused'] += 1
            self._counts[f'refused: {reason}'] += 1
            self._refusal = f'{reason}: {detail}'
            logged_at, unlogged = self._logged.get(reason, (-QUIET_S, 0))
            quiet = now - logged_at < QUIET_S
            self._logged[reason] = (logged_at, unlogged + 1) if quiet else (now, 0)
        if not quiet:
            before = f' ({unlogged} more like it before)' if unlogged else ''
            self._node.get_logger().error(f'refused, {reason}: {detail}{before}')

    def fail(self, detail: object) -> None:
        """The node could not do its work: count it, log it, and show ERROR until a stage succeeds."""
        with self._lock:
            self._counts['failed'] += 1
            self._failure = str(detail)
        self._node.get_logger().error(self._failure)

    def caution(self, detail: str, *, log: bool) -> None:
        """Show WARN with ``detail`` until the next call; '' ends it."""
        with self._lock:
            self._caution = detail
        if detail and log:
            self._node.get_logger().warning(detail)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the work; one that succeeds ends the ERROR of one that failed before."""
        start = time.monotonic()
        yield
        with self._lock:
            self._latency_ms[name] = (time.monotonic() - start) * 1e3
            self._counts[name] += 1
            self._failure = ''

    def _publish(self) -> None:
        more = self._more()
        with self._lock:
            age = None if self._received_at is None else time.monotonic() - self._received_at
            values: dict[str, object] = {
                'input_age_s': 'none yet' if age is None else f'{age:.2f}',
                'received': 0,
                'refused': 0,
                'failed': 0,
            }
            values |= self._counts
            last = {'refusal': self._refusal, 'caution': self._caution}
            values |= {key: text for key, text in last.items() if text}
            values |= {f'{stage}_ms': f'{latency:.1f}' for stage, latency in self._latency_ms.items()}
            level, message = self._judge(age)
            self._refused_before = self._counts['refused']
        values |= more
        status = DiagnosticStatus(
            level=level,
            name=self._node.get_fully_qualified_name(),
            message=message,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _judge(self, age: float | None) -> tuple[bytes, str]:
        if self._failure:
            return DiagnosticStatus.ERROR, self._failure
        refused = self._counts['refused'] - self._refused_before
        if refused:
            return DiagnosticStatus.WARN, f'{refused} inputs refused in the last second'
        if self._caution:
            return DiagnosticStatus.WARN, self._caution
        if age is not None and age > STALE_S:
            return DiagnosticStatus.STALE, f'no input for {age:.0f} s'
        return DiagnosticStatus.OK, 'ok'
