"""Quality-of-service profiles, liveliness stated too: left out, two equal profiles compare as a warning."""

from collections.abc import Mapping

from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

from hoigen.messages.topics import Kind


def _profile(
    depth: int,
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


STREAM = _profile(200)
"""Per-frame topics of the graph: an episode must arrive whole, so reliable and deep enough for several clips."""

STREAM_BEST_EFFORT = _profile(200, ReliabilityPolicy.BEST_EFFORT)
"""The reader's side of STREAM for a foreign publisher that is best effort; it never connects to a reliable reader."""

LATCHED = _profile(8, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Tables of an episode: late readers get them too. Deeper than the episodes in flight, so that none is overwritten
before a busy reader took it."""

LATCHED_READER = _profile(64, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""The reader's side of LATCHED: a foreign publisher's past tables, which all come at once, must not overwrite ours."""

STATUS = _profile(1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""What became of episodes: a reader that hears late or is busy misses none of them."""

CLOCK = _profile(1, ReliabilityPolicy.BEST_EFFORT)
"""Simulated time, as rclpy's time source reads it: the newest is what counts."""

DIAGNOSTICS = _profile(10)

OFFERED: Mapping[Kind, QoSProfile] = {
    'frame': STREAM,
    'table': LATCHED,
    'status': STATUS,
    'command': STREAM,
    'clock': CLOCK,
    'diagnostics': DIAGNOSTICS,
}
"""The writer's side, by kind of topic."""
