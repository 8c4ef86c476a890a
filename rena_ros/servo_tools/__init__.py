"""The tools of a lab's first day with its servos: `rena servo …`."""
