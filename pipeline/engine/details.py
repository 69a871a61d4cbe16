"""Counts the details of failed sites: which one of a reason is the commonest.

Details that differ in numbers and names alone (a tile's, a photo's, a length) count as one, shown by one of them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST = 3
"""Different details of one reason that a table keeps count of."""
_IN_ALL = 20
"""The same, of a whole build."""
_LONGEST = 200
"""Characters of a detail."""
_PARTICULAR = re.compile(r"\S*\d\S*")


@dataclass(frozen=True)
class Details:
    """Details of one reason with how often each came, the commonest first."""

    counted: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: "Details") -> "Details":
        return _counted([*self.counted, *other.counted], _IN_ALL)

    @classmethod
    def of(cls, counted: Sequence[tuple[str, int]]) -> "Details":
        """From what `as_list` gives.

        Raises:
            ValueError, TypeError: it is something else.
        """
        return cls(tuple((str(detail), int(number)) for detail, number in counted))

    def as_list(self) -> list[tuple[str, int]]:
        """As it stands in a file."""
        return list(self.counted)


def commonest(details: Iterable[str]) -> Details:
    """The commonest of some details, cut; the same ones whatever their order."""
    return _counted([(_plain(detail), 1) for detail in details], _MOST)


def _plain(detail: str) -> str:
    return "".join(c if c.isprintable() else " " for c in detail[:_LONGEST])


def _counted(details: Iterable[tuple[str, int]], most: int) -> Details:
    numbers: dict[str, int] = defaultdict(int)
    shown: dict[str, str] = {}
    for detail, number in details:
        alike = _PARTICULAR.sub("#", detail)
        numbers[alike] += number
        shown[alike] = min(shown.get(alike, detail), detail)
    order = sorted(numbers, key=lambda alike: (-numbers[alike], alike))
    return Details(tuple((shown[alike], numbers[alike]) for alike in order[:most]))
