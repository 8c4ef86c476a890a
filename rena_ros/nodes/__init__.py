"""The ROS nodes: each translates between ROS and one module of the core. The only place that imports rclpy."""
