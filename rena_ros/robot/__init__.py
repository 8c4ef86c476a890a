"""The robot as data: its servos and limits, its file, edits of that file."""
