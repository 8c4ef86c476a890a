"""The operator's tools for a robot's servos: `rena servo …`."""
