"""From a scene that a source of your own publishes to generated video in bags: config/graphs/own_source.yaml."""

from launch import LaunchDescription

from hoigen.ros.launching import describe


def generate_launch_description() -> LaunchDescription:
    return describe('own_source')
