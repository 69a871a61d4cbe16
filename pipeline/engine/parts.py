"""Static shares of a build's units, for arrays of jobs that know nothing of each other."""

import re
from dataclasses import dataclass

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem

_MOST = 100_000
_RANGE = 16**8


@dataclass(frozen=True)
class Part:
    """Part `number` of `of`, counted from 1."""

    number: int
    of: int

    def has(self, region: str, unit: str) -> bool:
        """Whether a unit is in this part: by its name alone, so every process on every machine says the same."""
        return int(digest("part", region, unit, length=8), 16) * self.of // _RANGE == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_part(given: str) -> Part:
    """A part as it stands on the command line, such as `3/16`.

    Raises:
        ConfigError: it is no such part.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", given)
    part = Part(int(match[1]), int(match[2])) if match else None
    if part is None or not 1 <= part.number <= part.of <= _MOST:
        raise ConfigError([Problem("--part", repr(given), f"I/N with 1 <= I <= N <= {_MOST:,}, such as 3/16")])
    return part
