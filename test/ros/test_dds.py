"""The DDS settings that `hoigen up` and the launch files give to the nodes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from ros_domain import own_domain

from hoigen.resources import find
from hoigen.ros import dds

PROFILE = find('config/fastdds.xml')
IMAGES = 20

SEND = f"""
import array, sys, time, rclpy
from pathlib import Path
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('sender')
publisher = node.create_publisher(Image, 'image', qos_profile_sensor_data)
give_up = time.monotonic() + 600
while not Path(sys.argv[1]).exists() and time.monotonic() < give_up:  # the reader knows us when it has seen one
    publisher.publish(Image())
    time.sleep(0.05)
for number in range(1, {IMAGES} + 1):
    publisher.publish(Image(width=number, data=array.array('B', bytes(720 * 480 * 3))))
    time.sleep(0.05)
while publisher.get_subscription_count() and time.monotonic() < give_up:  # the reader leaves when it has seen enough
    time.sleep(0.02)
"""

RECEIVE = f"""
import sys, time, rclpy
from pathlib import Path
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node, got = rclpy.create_node('receiver'), []
node.create_subscription(Image, 'image', lambda image: got.append(image.width),
                         QoSProfile(depth={IMAGES}, reliability=ReliabilityPolicy.BEST_EFFORT))
quiet_from = time.monotonic() + 600
while {IMAGES} not in got and time.monotonic() < quiet_from:
    before = len(got)
    rclpy.spin_once(node, timeout_sec=0.1)
    if len(got) > before:
        quiet_from = time.monotonic() + 120
        Path(sys.argv[1]).touch()
print(*filter(None, got))
node.destroy_node()
rclpy.shutdown()
"""


def test_profile_is_given_where_there_is_room(tmp_path: Path) -> None:
    """A nodes' process finds the profile, and only this machine's other processes."""
    assert dds.environment(1, {}, tmp_path) == {
        'FASTDDS_DEFAULT_PROFILES_FILE': str(PROFILE),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }


def test_small_shared_memory_keeps_the_default(tmp_path: Path) -> None:
    """In a container with 64 MB of /dev/shm the profile's segments do not fit: Fast DDS's own transports stay."""
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in dds.environment(10**9, {}, tmp_path)
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in dds.environment(1, {}, tmp_path / 'missing')


@pytest.mark.parametrize(
    'name', ['FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS', 'ROS_AUTOMATIC_DISCOVERY_RANGE']
)
def test_what_the_user_set_stays(name: str, tmp_path: Path) -> None:
    """A site's own DDS settings are not replaced."""
    assert name not in dds.environment(1, {name: 'mine'}, tmp_path)


def test_segments_of_killed_processes_are_removed_and_no_others(tmp_path: Path) -> None:
    """Told by the lock that a process holds beside its segment as long as it lives."""
    kept = ['fastdds_00000000000000aa', 'fastdds_00000000000000ab', 'fastdds_port7000', 'other']
    for name in (*kept, 'fastdds_00000000000000ad', 'fastrtps_00000000000000ae'):
        for path in (tmp_path / name, tmp_path / f'{name}_el'):
            path.touch()
            os.utime(path, None if name == 'fastdds_00000000000000ab' else (0, 0))  # that one is being made
    with (tmp_path / 'fastdds_00000000000000aa_el').open() as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        dds.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, *(f'{name}_el' for name in kept)])
    dds.remove_leftovers(tmp_path / 'missing')


def test_profile_is_in_the_words_of_the_installed_version(tmp_path: Path) -> None:
    """Jazzy's Fast DDS 2 drops a profile with an element that it does not know; both profiles say the same."""
    assert dds.profile({'AMENT_PREFIX_PATH': str(tmp_path)}) == PROFILE
    (tmp_path / 'share' / 'fastrtps').mkdir(parents=True)
    old = dds.profile({'AMENT_PREFIX_PATH': f'/missing:{tmp_path}'})
    assert elements(old) == [
        (tag.replace('heartbeat_period', 'heartbeatPeriod'), text) for tag, text in elements(PROFILE)
    ]


def elements(profile: Path) -> list[tuple[str, str]]:
    return [(element.tag, (element.text or '').strip()) for element in ElementTree.parse(profile).iter()]


def test_memory_of_a_process_covers_the_profile() -> None:
    """The room that is looked for is at least the segment that the profile asks for."""
    segment = ElementTree.parse(PROFILE).find('.//{*}segment_size')
    assert segment is not None
    assert int(segment.text or 0) < dds.BYTES_PER_PROCESS


def test_best_effort_images_arrive(tmp_path: Path) -> None:
    """With the profile, all of which is accepted, every image reaches a best-effort reader; without it almost none."""
    pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
    added = dds.environment(8)
    if 'FASTDDS_DEFAULT_PROFILES_FILE' not in added | dict(os.environ):
        pytest.skip('no room for the profile in /dev/shm')
    environment = os.environ | added | {'ROS_DOMAIN_ID': own_domain(), 'ROS_HOME': str(tmp_path)}
    seen = str(tmp_path / 'seen')
    receiver = subprocess.Popen(
        [sys.executable, '-c', RECEIVE, seen],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    subprocess.run([sys.executable, '-c', SEND, seen], env=environment, check=True, timeout=900)
    got, errors = receiver.communicate(timeout=900)
    assert 'XMLPARSER' not in errors
    assert [int(number) for number in got.split()] == list(range(1, IMAGES + 1))
