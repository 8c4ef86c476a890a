"""What the robot decides: the learned policy, a person's resting face, whether a face is present."""
