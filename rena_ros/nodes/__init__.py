"""The ROS nodes: each one translates between ROS and a module of the core."""
