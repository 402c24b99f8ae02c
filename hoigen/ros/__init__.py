"""The only room that knows ROS: messages and nodes around the ROS-free core."""
