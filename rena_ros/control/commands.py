"""What the gate reports about commands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandOutcome:
    """What became of a command.

    ``last_byte_s``: time of the port at which the last byte of its first goals was on the wire; None when the goals
    leave with the next tick. ``refusal``: why it was refused, None when it is followed. ``clamped``: names of the
    joints whose positions the limiter changed.
    """

    last_byte_s: float | None = None
    refusal: str | None = None
    clamped: tuple[str, ...] = ()


@dataclass
class CommandCounts:
    """Numbers of commands since the start: followed (``written``), refused, and followed but clamped."""

    written: int = 0
    refused: int = 0
    clamped: int = 0
