"""Benchmarks of the way from goals to servos: how fast, how honest under faults, how enduring."""
