"""How far a verifier can be believed: its answers to controls, counted by kind of claim, with intervals.

A false control that is accepted is a false accept; a true one that is not is a false refuse. Intervals are Wilson's at
95 %. A build whose verifier is surely worse than its `verifier_floor` stops: what it confirms is worth nothing. The
captioner stops it as soon as that is sure of the sites that its process described; publish looks at all sites, and puts
the figures into manifest and card.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.config.captioning import VerifierFloor
from pipeline.errors import MachineError
from schemas.records import Control

ALL = "all"


@dataclass(frozen=True)
class Rate:
    """A share of controls with its 95 % interval."""

    wrong: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Wrong over all; 0 of none."""
        return self.wrong / self.of if self.of else 0.0


@dataclass
class Reliability:
    """Controls counted."""

    false_accepted: Counter[str] = field(default_factory=Counter)
    """By kind of claim, and under `all`."""
    false_asked: Counter[str] = field(default_factory=Counter)
    true_refused: Counter[str] = field(default_factory=Counter)
    true_asked: Counter[str] = field(default_factory=Counter)

    def add(self, controls: Iterable[Control]) -> None:
        """Count the controls of a site."""
        for control in controls:
            if control.counted:
                self.count(control.kind, control.holds, control.answer == "yes")

    def count(self, kind: str, holds: bool, accepted: bool, times: int = 1) -> None:
        """Count controls of one kind that were answered alike."""
        for one in (kind, ALL):
            if holds:
                self.true_asked[one] += times
                self.true_refused[one] += times * (not accepted)
            else:
                self.false_asked[one] += times
                self.false_accepted[one] += times * accepted

    @property
    def kinds(self) -> list[str]:
        """Kinds of claim that controls were put for, `all` first; none where there was no verifier."""
        asked = self.false_asked.keys() | self.true_asked.keys()
        return sorted(asked, key=lambda kind: (kind != ALL, kind))

    def false_accept(self, kind: str = ALL) -> Rate:
        """Share of the false controls that were accepted."""
        return _rate(self.false_accepted[kind], self.false_asked[kind])

    def false_refuse(self, kind: str = ALL) -> Rate:
        """Share of the true controls that were not accepted."""
        return _rate(self.true_refused[kind], self.true_asked[kind])

    def check(self, floor: VerifierFloor) -> None:
        """Stop a build whose verifier is surely worse than the floor.

        Raises:
            MachineError: with the figures.
        """
        for rate, most, what, key in (
            (self.false_accept(), floor.false_accept, "accepts false controls", "false_accept"),
            (self.false_refuse(), floor.false_refuse, "refuses true controls", "false_refuse"),
        ):
            if rate.of >= floor.min_controls and rate.low > most:
                raise MachineError(
                    f"the verifier {what}: {rate.wrong} of {rate.of} ({rate.low:.0%} to {rate.high:.0%}), and "
                    f"grounding.verifier_floor.{key} is {most:.0%}. What it confirms cannot be believed: use another "
                    "model (captioner.verifier), or lower the floor"
                )


def _rate(wrong: int, of: int) -> Rate:
    if not of:
        return Rate(0, 0, 0.0, 1.0)
    from scipy.stats import binomtest  # here, as it takes a good part of the time in which a process starts

    interval = binomtest(wrong, of).proportion_ci(method="wilson")
    return Rate(wrong, of, float(interval.low), float(interval.high))
