"""Emulated servos: the other end of the wire, register by register, behind a pseudo-terminal or in virtual time."""
