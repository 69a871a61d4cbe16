"""Counts of a table for its footer: sites by outcome, and in imagery the views that are present or missing."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine.details import Details, commonest
from schemas.records import ImageryRow, LayerRow

REFERENCES = ("aerial", "drone", "map")
"""The views that a site may lack and still be ok."""


@dataclass(frozen=True)
class ViewCounts:
    """Sites that were to have a view: those that have it, and those that lack it by reason."""

    there: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "ViewCounts") -> "ViewCounts":
        return ViewCounts(self.there + other.there, dict(Counter(self.missing) + Counter(other.missing)))

    @property
    def missing_share(self) -> float:
        """Share of those that lack it."""
        lacking = sum(self.missing.values())
        return lacking / (self.there + lacking) if lacking else 0.0


@dataclass(frozen=True)
class Counts:
    """Numbers of sites of a table: ok, and failed by reason."""

    ok: int
    failed: dict[str, int]
    details: dict[str, Details] = field(default_factory=dict)
    """By reason, what those sites failed of in words: the commonest ones."""
    views: dict[str, ViewCounts] = field(default_factory=dict)
    """By view (`aerial`, `drone`, `map`), of a table of imagery; empty for a table of format 1."""
    chips_only: int = 0
    """How many of `ok` are distractors."""

    def __add__(self, other: "Counts") -> "Counts":
        reasons = self.details.keys() | other.details.keys()
        details = {r: self.details.get(r, Details()) + other.details.get(r, Details()) for r in reasons}
        seen = sorted(self.views.keys() | other.views.keys())
        views = {v: self.views.get(v, ViewCounts()) + other.views.get(v, ViewCounts()) for v in seen}
        failed = dict(Counter(self.failed) + Counter(other.failed))
        return Counts(self.ok + other.ok, failed, details, views, self.chips_only + other.chips_only)

    @property
    def total(self) -> int:
        """All sites of the table."""
        return self.ok + sum(self.failed.values())

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Counts":
        """From what `as_json` gives.

        Raises:
            ValueError, LookupError, TypeError, AttributeError: it is something else.
        """
        details = {reason: Details.of(counted) for reason, counted in raw.get("details", {}).items()}
        views = {v: ViewCounts(seen["there"], seen["missing"]) for v, seen in raw.get("views", {}).items()}
        return cls(raw["ok"], raw["failed"], details, views, raw.get("chips_only", 0))

    def as_json(self) -> bytes:
        """As it stands in a table's footer."""
        raw: dict[str, Any] = {"ok": self.ok, "failed": dict(sorted(self.failed.items()))}
        if self.details:
            raw["details"] = {reason: self.details[reason].as_list() for reason in sorted(self.details)}
        if self.chips_only:
            raw["chips_only"] = self.chips_only
        if self.views:
            raw["views"] = {
                v: {"there": s.there, "missing": dict(sorted(s.missing.items()))} for v, s in self.views.items()
            }
        return json.dumps(raw).encode()


def count(rows: Sequence[LayerRow]) -> Counts:
    """Count the rows of a table."""
    said: dict[str, list[str]] = {}
    views: dict[str, ViewCounts] = {}
    for row in rows:
        if row.status == "failed":
            said.setdefault(str(row.reason), []).append(row.detail or "")
        if isinstance(row, ImageryRow):
            for view, seen in _views(row).items():
                views[view] = views.get(view, ViewCounts()) + seen
    failed = {reason: len(details) for reason, details in said.items()}
    details = {reason: commonest(details) for reason, details in said.items()}
    chips_only = sum(row.status == "chips_only" for row in rows)
    return Counts(len(rows) - sum(failed.values()), failed, details, dict(sorted(views.items())), chips_only)


def _views(row: ImageryRow) -> dict[str, ViewCounts]:
    found = {}
    for view in REFERENCES:
        reason = lacking(row, view)
        if getattr(row, view) is not None:
            found[view] = ViewCounts(1)
        elif reason is not None:
            found[view] = ViewCounts(0, {reason: 1})
    return found


def lacking(row: ImageryRow, view: str) -> str | None:
    """Why a site lacks a view; None where it has it, or was not to have it."""
    if getattr(row, view) is not None:
        return None
    return next((str(missing.reason) for missing in row.missing if missing.view == view), None)
