"""Benchmarks of the path from goals to servos: speed, behaviour under faults, endurance, robustness."""
