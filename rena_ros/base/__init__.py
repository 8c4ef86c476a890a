"""What every room stands on: errors, files, signals, priority, resources."""
