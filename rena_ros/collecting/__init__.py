"""`rena collect`: the robot watches its own face, in virtual time or over ROS."""
