"""The robot's decisions: the learned policy, the resting face of a person, presence of a face."""
