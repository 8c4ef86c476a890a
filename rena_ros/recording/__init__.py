"""What is collected: samples of the robot watching its own face, written so that an interruption loses nothing."""
