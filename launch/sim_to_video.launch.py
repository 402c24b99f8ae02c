"""From a simulated hand-object scene to generated video in bags: config/graphs/sim_to_video.yaml, by ros2 launch."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('sim_to_video')
