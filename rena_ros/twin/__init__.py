"""The drawn robot, servo goals to an image, and the performer, a second drawn head."""
