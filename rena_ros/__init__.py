"""Rena: an animatronic face that learns to move by watching itself, then mirrors people."""

__version__ = "0.8.0"
