"""A finding: what one check says of one claim of one sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pipeline.captioning.evidence import Item, ids

Outcome = Literal["supported", "unsupported", "contradicted", "forbidden", "unknown"]


@dataclass(frozen=True)
class Finding:
    """A verdict without its place in the description."""

    check: str
    claim: str
    outcome: Outcome
    cue_ids: tuple[str, ...] = ()


def finding(check: str, claim: str, outcome: Outcome, items: Iterable[Item] = ()) -> Finding:
    """A finding that rests on things in evidence."""
    return Finding(check, " ".join(claim.split()), outcome, tuple(ids(items)))
