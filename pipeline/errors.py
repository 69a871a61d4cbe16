"""Errors, by who has to act.

`SiteError` concerns one site or one picture: it becomes a row with a reason, and the build goes on.
`ConfigError` is the user's to fix, before any work. `MachineError` (disk full, engine missing) stops the build.
"""

from dataclasses import dataclass

from schemas.reasons import Reason

_LONGEST = 2_000
"""Characters of a detail, which may quote what came from outside."""


def one_line(text: str) -> str:
    """A text that may quote what came from outside, fit for rows, logs and terminals.

    Control characters, marks that turn the direction of writing and line breaks become spaces. A lone surrogate, which
    fits into no row, becomes a question mark.
    """
    shown = text.encode("utf-8", "replace").decode()
    return shown if shown.isprintable() else "".join(c if c.isprintable() else " " for c in shown)


class SiteError(Exception):
    """This site, view or chip cannot be had; the rest can."""

    def __init__(self, reason: Reason, detail: str) -> None:
        detail = one_line(detail)[:_LONGEST]
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["SiteError"], tuple[Reason, str]]:
        return SiteError, (self.reason, self.detail)


class MachineError(Exception):
    """The build cannot go on until somebody mends the machine or the installation; the message says how."""


class OutageError(MachineError):
    """A provider or a host is out of order for longer than the build waits. What was committed stays."""


class BuildStopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user stopped the build. What was committed stays."""


@dataclass(frozen=True)
class Problem:
    """One fault in a configuration or an input file."""

    where: str
    """Key path (`sources.street.photos.index`) or file and row."""
    found: str
    allowed: str

    def __str__(self) -> str:
        found = self.found
        if len(found) > _LONGEST:
            found = f"{found[:_LONGEST]}... ({len(found):,} characters)"
        return one_line(f"{self.where}: found {found}; allowed: {self.allowed}")


class ConfigError(Exception):
    """The configuration or an input named by it cannot be used. Lists every problem found, not the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[Problem]]]:
        return ConfigError, (self.problems,)
