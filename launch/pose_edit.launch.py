"""An object put into simulated hand-object scenes, with true labels, in bags: config/graphs/pose_edit.yaml."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('pose_edit')
