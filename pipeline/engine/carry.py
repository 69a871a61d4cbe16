"""Carrying over: rows of an earlier table of a unit that would come out the same are taken as they are.

A table's footer says what each part of its rows was made from (`parts`), and what each row was made from in the layer
below (`inputs`). So if a build grows by sites, only new sites are processed, and if it grows by a view, only that view
is fetched.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.digest import digest, digest_bytes
from pipeline.engine.layers import DamagedLayerError, LayerFile, Made, read_made, read_rows
from pipeline.engine.units import UnitTask
from pipeline.stages import Known, Stage
from pipeline.storage import Store
from schemas.reasons import TRANSIENT
from schemas.records import ImageryRow, LayerRow, Site

log = logging.getLogger(__name__)

_BLANK: dict[str, Any] = {"aerial_scales": [], "drone": None, "missing": [], "considered": [], "weight": 0.0}
"""Value that a stage finds in place of a field that it overlooks."""
_WEIGHT = {"weight"}
"""Fields of a site that no row depends on: the weight changes with the number of sites."""


@dataclass
class Carried:
    """Rows of earlier tables, by site id."""

    rows: dict[str, LayerRow] = field(default_factory=dict)
    """Those that stay as they are."""
    known: dict[str, Known] = field(default_factory=dict)
    """Those of which some parts are to be made."""

    def __contains__(self, site_id: str) -> bool:
        return site_id in self.rows or site_id in self.known


def shown(stage: Stage, rows: Sequence[LayerRow]) -> list[LayerRow]:
    """Rows of a layer below, as the stage is given them: without what it overlooks."""
    blank = {name: _BLANK[name] for name in stage.overlooks}
    return [row.model_copy(update=blank) if isinstance(row, ImageryRow) else row for row in rows]


def inputs(sites: Sequence[Site], below: Mapping[str, Sequence[LayerRow]]) -> dict[str, str]:
    """By site that a stage is to make a row of, in order: digest of what it is given of it."""
    if not below:
        return {site.site_id: digest(site.model_dump(exclude=_WEIGHT)) for site in sites}
    layers = [{row.site_id: row for row in rows} for rows in below.values()]
    ids = [row.site_id for row in list(below.values())[-1]]
    given = {i: [layer[i] for layer in layers if i in layer] for i in ids}
    whole = {i: rows for i, rows in given.items() if len(rows) == len(layers)}
    return {i: _mark(rows) for i, rows in whole.items() if all(row.status == "ok" for row in rows)}


def find(stage: Stage, task: UnitTask, store: Store, wanted: Mapping[str, str]) -> Carried:
    """Find the wanted rows (`inputs`) in earlier tables of the unit. Of several tables, the most alike counts."""
    found = Carried()
    parts = task.parts(stage)
    alike: list[tuple[int, LayerFile, Made]] = []
    for file in task.there:
        made = read_made(store, file) if file.layer == stage.name else None
        if made is not None and made.parts.get(stage.core) == parts[stage.core]:
            alike.append((len(_changed(parts, made.parts)), file, made))
    for _, file, made in sorted(alike, key=lambda one: one[:2]):
        still = {i for i, mark in wanted.items() if i not in found and made.inputs.get(i) == mark}
        if still:
            _take(found, stage, store, file, still, _changed(parts, made.parts))
    return found


def _take(
    found: Carried, stage: Stage, store: Store, file: LayerFile, still: set[str], changed: frozenset[str]
) -> None:
    try:
        rows = read_rows(store, file, stage.record)
    except (DamagedLayerError, FileNotFoundError) as error:
        log.warning("%s; nothing is carried over from it", error)
        return
    for row in rows:
        if row.site_id not in still:
            continue
        if not changed:
            found.rows[row.site_id] = row
        elif row.status == "ok":  # of one that failed, no part is known
            found.known[row.site_id] = Known(row, changed)
        elif changed == {stage.last} and _never_came_to(changed, row):
            found.rows[row.site_id] = row


def _changed(wanted: Mapping[str, str], made: Mapping[str, str]) -> frozenset[str]:
    return frozenset(part for part, mark in wanted.items() if made.get(part) != mark)


def _never_came_to(last: frozenset[str], row: LayerRow) -> bool:
    """Whether a row without views is the same whatever the last part is made from. What may pass is tried again."""
    return isinstance(row, ImageryRow) and row.reason not in TRANSIENT and last.isdisjoint(m.view for m in row.missing)


def weighted(row: LayerRow, sites: Mapping[str, Site]) -> LayerRow:
    """A row that was carried over, with the weight that its site has now."""
    site = sites.get(row.site_id)
    if site is None or not isinstance(row, ImageryRow):
        return row
    return row.model_copy(update={"weight": site.weight})


def _mark(rows: Sequence[LayerRow]) -> str:
    content = [row.model_dump() for row in rows]
    return digest_bytes(json.dumps(content, sort_keys=True, default=_plain).encode(), length=12)


def _plain(value: Any) -> str:
    return digest_bytes(value) if isinstance(value, bytes) else str(value)
