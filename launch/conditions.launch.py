"""From a simulated hand-object scene to its 3D conditions in bags: config/graphs/conditions.yaml, by ros2 launch."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('conditions')
