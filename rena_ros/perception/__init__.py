"""Perception: video sources, the face model file, readings of faces."""
