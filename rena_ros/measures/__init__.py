"""Figures of merit as pure functions of arrays: errors of goals, Tables II and III of the paper, the floor."""
