"""Fixtures for tests on real rclpy and DDS: a domain of their own, nodes that are always destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_domain import own_domain


@pytest.fixture
def ros_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine only, a domain of this test run, logs in the test's folder."""
    from hoigen.ros import dds

    for name, value in dds.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('ROS_DOMAIN_ID', own_domain())
    monkeypatch.setenv('ROS_HOME', str(tmp_path / 'ros'))


@pytest.fixture
def bench(ros_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A :class:`ros_bench.Bench`; skips where ROS or the built messages are missing. Diagnostics come ten times as
    often as from nodes that nobody waits for."""
    pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
    pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')
    from ros_bench import Bench

    from hoigen.ros import diagnostics

    monkeypatch.setattr(diagnostics, 'PERIOD_S', 0.1)

    bench = Bench()
    yield bench
    bench.close()
