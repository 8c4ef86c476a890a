"""What is wrong with the commands of the last second. Pure; no ROS, no bus.

Every finding is a warning: the robot follows what it can, but not what the sender means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rena_ros.control.commands import CommandOutcome
from rena_ros.control.health import Finding, Level

_FAR_SHARE = 0.05  # of a second's commands: a policy's overshoot is clamped by less than ``commands.FAR``
_REFUSED_SHARE = 0.5


@dataclass(frozen=True)
class CommandHealth:
    """What is known of one source's commands of the last second, refused ones included, ignored ones not.

    ``far_share``: those with a position far outside its limits, [0, 1]; ``far``: the last such position and the
    likely cause. ``refused_share``: refused ones, [0, 1]; ``refusal``: why the last of them was refused, "" when
    commands would be followed now. ``slow_period_s``: time between two commands if it is longer than their time-out.
    """

    far_share: float = 0.0
    far: str = ""
    refused_share: float = 0.0
    refusal: str = ""
    slow_period_s: float | None = None


class CommandWatch:
    """Collects what became of one source's commands."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin another second."""
        self._count = self._refused = self._far = 0
        self._far_text, self._last = "", CommandOutcome()

    def add(self, outcome: CommandOutcome) -> None:
        """Add what became of one command."""
        self._count += 1
        self._refused += outcome.refusal is not None
        if outcome.far:
            self._far, self._far_text = self._far + 1, outcome.far
        if outcome.refusal:
            self._last = outcome

    def health(self, refusal_now: str | None, slow_period_s: float | None = None) -> CommandHealth:
        """Return what has been collected since ``clear``.

        ``refusal_now``: why any command would be refused now. A refusal of that kind that no longer holds, as while the
        node connects, is not reported.
        """
        refusal = (self._last.refusal if self._last.malformed else refusal_now) or ""
        count = max(self._count, 1)
        return CommandHealth(self._far / count, self._far_text, self._refused / count, refusal, slow_period_s)


def judge_commands(
    sources: Mapping[str, CommandHealth], timeout_s: float, crowded: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Judge the commands of all sources, by name.

    ``timeout_s``: time-out of commands; ``crowded``: publishing nodes of topics on which several command in turn.
    """
    findings = []
    for source, health in sources.items():
        share = "of the last second's commands of"
        if health.far_share > _FAR_SHARE:
            findings.append(f"{health.far_share:.0%} {share} {source} were clamped far: {health.far}")
        if health.refusal and health.refused_share > _REFUSED_SHARE:
            findings.append(f"{health.refused_share:.0%} {share} {source} were refused: {health.refusal}")
        if health.slow_period_s is not None:
            findings.append(
                f"commands of {source} come every {health.slow_period_s:.1f} s, longer than command_timeout_s "
                f"{timeout_s:g}: between them the robot eases to neutral or follows another source; set "
                f"command_timeout_s above {health.slow_period_s:.1f}"
            )
    for topic, nodes in crowded.items():
        publishers = f"{topic} has {len(nodes)} publishers, {', '.join(nodes)}"
        findings.append(f"{publishers}: the robot follows all of them in turn; let one publish there")
    return [(Level.WARN, text) for text in findings]
