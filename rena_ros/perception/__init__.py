"""What is seen: video sources, the face model, readings of faces."""
