"""What publish is given: finished units, each with a way to load its tables and a light way to load its index."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from pipeline.publishing.decisions import Edited, text_sha256
from schemas.reasons import Reason
from schemas.records import Variant

INDEX_COLUMNS: dict[str, list[str]] = {
    "imagery": [
        "site_id",
        "status",
        "reason",
        "lat",
        "lon",
        "views.list.element.projection",
        "views.list.element.phash",
        "views.list.element.source",
        "views.list.element.sequence",
    ],
    "cues": ["site_id", "status", "reason"],
    "captions": ["site_id", "status", "reason", "long", "short", "street"],
}
"""The columns of each layer's file that `unit_index` needs: no picture among them."""

INDEX_SCHEMA = pa.schema(
    [
        pa.field("site_id", pa.string(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("phash", pa.string()),
        pa.field("sequences", pa.list_(pa.string()), nullable=False),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
    ]
)
"""One row a site. `reason` says why it cannot be published; `phash`, of its primary view, is null then. `sequences` are
the capture sequences of its views, with their source. `texts` are the SHA-256 of its
descriptions, in the order of `TEXTS`."""

TEXTS: tuple[Variant, ...] = ("long", "short", "street")
"""Columns of the captions layer, in the order of the index column `texts`."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(frozen=True)
class UnitTables:
    """The three layers of one unit, with the schemas of `ImageryRow`, `CueRow` and `CaptionRow`."""

    imagery: pa.Table
    cues: pa.Table
    captions: pa.Table


@dataclass(frozen=True)
class FinishedUnit:
    """A unit whose three layers are up to date."""

    region: str
    unit: str
    """H3 cell (hexadecimal)."""
    content: str
    """Digest of its three tables."""
    size: int
    """Bytes of its file in the imagery layer: what it will take in a shard, nearly."""
    rows: int
    """Sites sampled in it, failed ones included."""
    load: Callable[[], UnitTables]
    load_index: Callable[[], pa.Table]
    """As `unit_index` makes it, without reading a picture."""


@dataclass(frozen=True)
class UnitPart:
    """What of a unit is published, and all that its rows take from the build beside its tables."""

    region: str
    unit: str
    content: str
    """Digest of the unit's tables."""
    sites: tuple[str, ...]
    """Ids of the sites to publish."""
    bounds: Bounds
    """Of these sites."""
    map_licence: str | None
    """Of the region's map data, where its source is configured with one: map cues carry it even without a map chip."""
    synthetic: tuple[str, ...]
    """Names of the region's sources whose pictures are drawn and not taken, in order."""
    edited: tuple[Edited, ...] = ()
    """Of these sites, those of which people edited descriptions; only edits that fit."""


def unit_index(tables: UnitTables) -> pa.Table:
    """The index of one unit, from whole tables or from tables with just `INDEX_COLUMNS`.

    A site takes the reason of the first layer that it failed in. The layers are joined by `site_id`.

    Raises:
        ValueError: a layer lacks a site that is ok in the layer below, so the layers do not belong together.
    """
    later = {
        layer: {row["site_id"]: row for row in table.select(["site_id", "status", "reason"]).to_pylist()}
        for layer, table in (("cues", tables.cues), ("captions", tables.captions))
    }
    texts = {
        row["site_id"]: [text_sha256(row[variant]) for variant in TEXTS]
        for row in tables.captions.select(["site_id", *TEXTS]).to_pylist()
    }
    rows = []
    for site in tables.imagery.select(["site_id", "status", "reason", "lat", "lon", "views"]).to_pylist():
        reason = None if site["status"] == "ok" else site["reason"]
        for layer, known in later.items():
            if reason is None:
                if site["site_id"] not in known:
                    raise ValueError(f"site {site['site_id']} is ok so far but has no row in layer {layer}")
                row = known[site["site_id"]]
                reason = None if row["status"] == "ok" else row["reason"]
        flat = [view["phash"] for view in site["views"] if view["projection"] == "perspective"]
        if reason is None and not flat:
            reason = Reason.NO_STREET_VIEW
        rows.append(
            {
                "site_id": site["site_id"],
                "lat": site["lat"],
                "lon": site["lon"],
                "reason": reason,
                "phash": flat[0] if reason is None else None,
                "sequences": sorted({f"{v['source']} {v['sequence']}" for v in site["views"] if v["sequence"]}),
                "texts": texts.get(site["site_id"], []),
            }
        )
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
