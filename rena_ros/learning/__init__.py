"""Learning coefficients -> goals. The only place that imports torch."""
