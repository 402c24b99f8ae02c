"""What a graph without a source waits for, in lines for the person whose source it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

from hoigen.ros import topics
from hoigen.ros.topics import Topic

AWAITED = (topics.MESH_ASSETS, *topics.SCENE_PARTS)
"""What a source must publish; camera/depth it may."""


class Awaited:
    """Looks, for a node of the graph's namespace, at who publishes what ``nodes`` hear, and at what they refuse."""

    def __init__(self, node: Node, nodes: Sequence[str]) -> None:
        self._node, self._nodes = node, nodes
        self._told: dict[tuple[str, str], str] = {}
        self._own = {node.resolve_topic_name(topic.name) for topic in topics.TOPICS}

    def notices(self, diagnostics: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
        """Each topic that cannot be heard, with why, and each node's first warning and first refusal of each kind."""
        lines = [line for topic in AWAITED for line in self._look_at(topic)]
        for node, values in diagnostics.items():
            if 'refusal' in values:
                reason = values['refusal'].partition(':')[0]
                self._told.setdefault((node, reason), f'{node} refuses input, {values["refusal"]}')
            if 'caution' in values:
                self._told.setdefault((node, ''), f'{node} warns: {values["caution"]}')
        return *(lines or ['the source is there: its episodes are recorded as they come']), *self._told.values()

    def _look_at(self, topic: Topic) -> Iterator[str]:
        name = self._node.resolve_topic_name(topic.name)
        publishers = self._node.get_publishers_info_by_topic(name)
        if not publishers:
            yield f'waiting for {name}: expected a publisher of {topic.type_name}, got none{self._elsewhere(topic)}'
        readers = [
            reader for reader in self._node.get_subscriptions_info_by_topic(name) if reader.node_name in self._nodes
        ]
        for publisher in publishers:
            if publisher.topic_type != topic.type_name:
                yield f'{name}: expected {topic.type_name}, got {publisher.topic_type} of node {publisher.node_name}'
                continue
            faults = {_unheard(publisher.qos_profile, reader.qos_profile) for reader in readers} - {''}
            yield from (f'{name}: {fault}, of node {publisher.node_name}' for fault in sorted(faults))

    def _elsewhere(self, topic: Topic) -> str:
        """Where the same type is published under another name."""
        found: list[tuple[str, Any]] = self._node.get_topic_names_and_types()
        names = [
            name
            for name, types in found
            if topic.type_name in types and name not in self._own and self._node.count_publishers(name)
        ]
        return f'; there is one on {", ".join(names)}: remap it to {topic.name}' if names else ''


def _unheard(offered: QoSProfile, asked: QoSProfile) -> str:
    """Why a reader does not hear a publisher; '' where it does."""
    if qos_check_compatible(offered, asked)[0] != QoSCompatibility.ERROR:
        return ''
    if (offered.reliability, asked.reliability) == (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
        return 'expected reliable, or input_reliability best_effort, got a publisher that is best effort'
    if (offered.durability, asked.durability) == (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
        return 'expected transient local durability (latched), got a publisher that is volatile'
    return f'expected what its readers ask for, got: {qos_check_compatible(offered, asked)[1]}'
