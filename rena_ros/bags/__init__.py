"""Bags of ROS 2: written so that a cut loses no more than a moment, read, and mended; without ROS."""
