"""Holds a take-down list against rows, and keeps what it takes down out of what is published."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from rapidfuzz import process

from pipeline.errors import Problem
from pipeline.publishing.takedown import Area, Entry, Takedown
from pipeline.publishing.units import FinishedUnit
from schemas.reasons import Reason

_CREDITED = ("street_view", "panorama_view", "aerial_chip", "drone_chip", "map_chip")
_LISTED = ("other_views", "aerial_scales")
_CREDIT = ("source_id", "author", "link")
_PLACE = ("lat", "lon")
_BOUNDS = ("west", "south", "east", "north")
COLUMNS = (
    "sample_id", "lat", "lon",
    *(f"{column}.{name}" for column in _CREDITED for name in _CREDIT),
    *(f"{column}.list.element.{name}" for column in _LISTED for name in _CREDIT),
    *(f"{view}.{name}" for view in ("street_view", "panorama_view", "other_views.list.element") for name in _PLACE),
    *(f"{chip}.{name}" for chip in ("aerial_chip", "drone_chip", "aerial_scales.list.element") for name in _BOUNDS),
)  # fmt: skip
"""The columns of a shard that a list is held against: no picture among them."""

LAYER_COLUMNS = [
    "site_id", "lat", "lon",
    *(f"views.list.element.{name}" for name in (*_CREDIT, "lat", "lon")),
    *(f"aerial_scales.list.element.{name}" for name in (*_CREDIT, *_BOUNDS)),
    *(f"{chip}.{name}" for chip in ("aerial", "drone") for name in (*_CREDIT, *_BOUNDS)),
    *(f"map.{name}" for name in _CREDIT),
]  # fmt: skip
"""The columns of a table of the layer `imagery` that a list is held against."""


def of_layer(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the layer `imagery`, with `LAYER_COLUMNS`, in the shape of a shard's row."""
    return {
        "sample_id": row["site_id"], "lat": row["lat"], "lon": row["lon"], "street_view": None, "panorama_view": None,
        "other_views": row["views"], "aerial_scales": row["aerial_scales"], "aerial_chip": row["aerial"],
        "drone_chip": row["drone"], "map_chip": row["map"],
    }  # fmt: skip


class Matcher:
    """A list, held against rows."""

    def __init__(self, takedown: Takedown) -> None:
        self._entries = takedown.entries()
        self._by_text: dict[str, dict[str, Entry]] = {"source_ids": {}, "authors": {}, "links": {}}
        for entry in self._entries:
            if isinstance(entry.value, str):
                self._by_text[entry.key][entry.value] = entry
        self.hits: dict[Entry, list[str]] = {entry: [] for entry in self._entries}
        """Ids of the samples that each entry takes down."""
        self._known: dict[str, set[str]] = {key: set() for key in self._by_text}

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row (with `COLUMNS`) may not be published."""
        found = {*self._by_credit(row), *self._by_place(row)}
        for entry in found:
            self.hits[entry].append(row["sample_id"])
        return bool(found)

    def _by_credit(self, row: Mapping[str, Any]) -> Iterator[Entry]:
        for info in _infos(row):
            # A mosaic's id is that of all its files, with spaces between them.
            ids = {info["source_id"], *info["source_id"].split()}
            for key, texts in (("source_ids", ids), ("authors", {info["author"]}), ("links", {info["link"]})):
                self._known[key] |= texts
                for text in texts & self._by_text[key].keys():
                    yield self._by_text[key][text]

    def _by_place(self, row: Mapping[str, Any]) -> Iterator[Entry]:
        areas = [(entry, entry.value) for entry in self._entries if isinstance(entry.value, Area)]
        if not areas:
            return
        cameras = [(info["lat"], info["lon"]) for info in (row["street_view"], row["panorama_view"]) if info]
        cameras += [(view["lat"], view["lon"]) for view in row["other_views"]]
        lat, lon = np.array([(row["lat"], row["lon"]), *cameras]).T
        chips = [chip for chip in (row["aerial_chip"], row["drone_chip"], *row["aerial_scales"]) if chip]
        for entry, area in areas:
            if area.holds(lat, lon).any() or any(_meet(area.bounds, chip) for chip in chips):
                yield entry

    def counts(self) -> dict[str, int]:
        """Samples that each entry took down, by the digest of those that took any."""
        return {entry.digest: len(ids) for entry, ids in self.hits.items() if ids}

    def taken(self) -> set[str]:
        """Ids of all samples that were taken down."""
        return {sample_id for ids in self.hits.values() for sample_id in ids}

    def unmatched(self) -> dict[Entry, Problem]:
        """Entries that took nothing down, with what is most like them."""
        problems = {}
        for entry in (entry for entry, ids in self.hits.items() if not ids):
            near = []
            if isinstance(entry.value, str):
                near = [found for found, _, _ in process.extract(entry.value, self._known[entry.key], limit=3)]
            allowed = f"what a picture of the dataset has{', such as ' + ', '.join(near) if near else ''}"
            problems[entry] = Problem(f"take-down list: {entry.key}", str(entry), allowed)
        return problems


def _infos(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for column in _CREDITED:
        if row[column] is not None:
            yield row[column]
    for column in _LISTED:
        yield from row[column]


def _meet(box: Sequence[float], chip: Mapping[str, Any]) -> bool:
    """Whether a box reaches into a chip."""
    west, south, east, north = box
    if south > chip["north"] or north < chip["south"]:
        return False
    parts = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    return any(left <= chip["east"] and right >= chip["west"] for left, right in parts)


def left_out(units: Sequence[FinishedUnit], matcher: Matcher) -> list[FinishedUnit]:
    """The same units; sites that are taken down have that as the reason why they are not published."""
    if not matcher.hits:
        return list(units)
    return [_without(unit, matcher) for unit in units]


def _without(unit: FinishedUnit, matcher: Matcher) -> FinishedUnit:
    index = unit.load_index()
    reasons = dict(zip(index["site_id"].to_pylist(), index["reason"].to_pylist(), strict=True))
    down = {
        row["site_id"]
        for row in unit.load_credits().to_pylist()
        if reasons[row["site_id"]] is None and matcher.matches(of_layer(row))
    }
    if not down:
        return unit
    column = [Reason.TAKEN_DOWN.value if site in down else reason for site, reason in reasons.items()]
    at = index.schema.get_field_index("reason")
    marked = index.set_column(at, index.schema.field(at), pa.array(column, pa.string()))
    return replace(unit, load_index=lambda: marked)
