"""An object put into a recording at a 6DoF pose, with true labels, in bags: config/graphs/pose_edit_video.yaml."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('pose_edit_video')
