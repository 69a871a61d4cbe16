"""The kinds of fault of model servers, and the form of the rules that tell them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from pipeline.captioning.dialogue.objections import Objection


class Fault(StrEnum):
    """Faults of a request, by who can do something about them."""

    SET_UP = "set-up"
    """The user's: no request of this build will do until the server or the build file is changed."""
    TOO_LONG = "too long"
    """The prompt's: with less in it, it may do."""
    REFUSED = "refused"
    """The request's: it will not do, others may."""
    BUSY = "busy"
    """No fault: the same request succeeds later."""
    BROKEN = "broken"
    """The server's: it may do, sent again."""


@dataclass(frozen=True)
class Verdict:
    """A fault, and for one of the set-up what is wrong and what to change."""

    fault: Fault
    wrong: str = ""
    """Said of the server; its own words follow."""
    change: str = ""


@dataclass(frozen=True)
class Rule:
    """Holds for an objection of one of these statuses in which one of the kinds or of the words is found.

    A rule without kinds and words goes by the status alone.
    """

    verdict: Verdict
    statuses: Collection[int]
    kinds: tuple[str, ...] = ()
    """Patterns of the error's type and code."""
    words: tuple[str, ...] = ()
    """Patterns of its message, which has the name of the parameter that it blames before it: `image: At most ...`."""
    pages: bool = True
    """Whether it holds for web pages as well, which a proxy writes and no model server."""

    def holds(self, said: Objection) -> bool:
        """Whether it is about this objection."""
        if said.status not in self.statuses or (said.page and not self.pages):
            return False
        if not self.kinds and not self.words:
            return True
        words = f"{said.param}: {said.message}" if said.param else said.message
        return _any_of(self.kinds, said.kind) or _any_of(self.words, words)


def _any_of(patterns: tuple[str, ...], text: str) -> bool:
    return any(_compiled(pattern).search(text) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def set_up(wrong: str, change: str) -> Verdict:
    """A fault of the set-up, see `Verdict`."""
    return Verdict(Fault.SET_UP, wrong, change)
