"""From a recording to 3D conditions and generated video in bags: config/graphs/video_to_video.yaml, by ros2 launch."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('video_to_video')
