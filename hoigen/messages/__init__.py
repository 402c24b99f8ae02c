"""The only codec between records and the messages of hoigen's topics, in the graph and in bags; it needs no ROS."""
