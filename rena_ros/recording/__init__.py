"""Samples of the robot watching its own face, and the datasets that hold them."""
