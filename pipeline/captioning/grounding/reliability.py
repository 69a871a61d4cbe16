"""How far a verifier can be believed: its answers to controls, counted by kind of claim, with intervals.

A false control that is accepted is a false accept; a true one that is not is a false refuse. Intervals are Wilson's at
95 %. A build whose verifier is surely worse than its `verifier_floor` stops: what it confirms is worth nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from scipy.stats import binomtest

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
    """Controls counted. Two may be added up."""

    false_accepted: Counter[str] = field(default_factory=Counter)
    """By kind of claim, and under `all`."""
    false_asked: Counter[str] = field(default_factory=Counter)
    true_refused: Counter[str] = field(default_factory=Counter)
    true_asked: Counter[str] = field(default_factory=Counter)

    def add(self, controls: Iterable[Control]) -> None:
        """Count the controls of a site."""
        for control in controls:
            if not control.counted:
                continue
            for kind in (control.kind, ALL):
                if control.holds:
                    self.true_asked[kind] += 1
                    self.true_refused[kind] += control.answer != "yes"
                else:
                    self.false_asked[kind] += 1
                    self.false_accepted[kind] += control.answer == "yes"

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
            if rate.of >= floor.least_controls and rate.low > most:
                raise MachineError(
                    f"the verifier {what}: {rate.wrong} of {rate.of} ({rate.low:.0%} to {rate.high:.0%}), and "
                    f"grounding.verifier_floor.{key} is {most:.0%}. What it confirms cannot be believed: use another "
                    "model (captioner.verifier), or lower the floor"
                )


def _rate(wrong: int, of: int) -> Rate:
    if not of:
        return Rate(0, 0, 0.0, 1.0)
    interval = binomtest(wrong, of).proportion_ci(method="wilson")
    return Rate(wrong, of, float(interval.low), float(interval.high))
