"""The base of every room: errors, files, YAML with lines, file models, signals, priority, resources."""
