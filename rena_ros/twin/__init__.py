"""The drawn robot: servo goals in, an image out; and the performer, a second drawn head."""
