"""Finished units as publishing takes them, each with a way to load its tables and a light way to load its index."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

import pyarrow as pa

from pipeline.publishing.decisions import Edited, text_sha256
from pipeline.publishing.text_sketch import SKETCH, sketch
from schemas.reasons import Reason
from schemas.records import CaptionRow, ClaimKind, CueRow, ImageryRow, Variant

INDEX_COLUMNS: dict[str, list[str]] = {
    ImageryRow.layer: [
        "site_id",
        "reason",
        "lat",
        "lon",
        "weight",
        "views.list.element.projection",
        "views.list.element.phash",
        "views.list.element.source",
        "views.list.element.source_id",
        "views.list.element.sequence",
        "aerial.phash",
    ],
    CueRow.layer: ["site_id", "status", "reason"],
    CaptionRow.layer: [
        "site_id",
        "status",
        "reason",
        "long",
        "short",
        "street",
        "controls.list.element.kind",
        "controls.list.element.holds",
        "controls.list.element.answer",
        "controls.list.element.counted",
    ],
}
"""The columns of each layer's file that `unit_index` needs: no picture among them."""

INDEX_SCHEMA = pa.schema(
    [
        pa.field("site_id", pa.string(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("distractor", pa.bool_(), nullable=False),
        pa.field("phash", pa.string()),
        pa.field("aerial_phash", pa.string()),
        pa.field("sequences", pa.list_(pa.string()), nullable=False),
        pa.field("photos", pa.list_(pa.string()), nullable=False),
        pa.field("text", SKETCH),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
        pa.field("controls", pa.list_(pa.int8()), nullable=False),
    ]
)
"""One row a site. `reason` says why it cannot be published; `phash`, of its primary view, is null then, and for a
`distractor`. `sequences` are the capture sequences of its views, `photos` the photos, each with its source. `text` is a
sketch of its description (`pipeline.publishing.text_sketch`). `texts` are the SHA-256 of its
descriptions, in the order of `TEXTS`. `controls` are the verifier's answers to the controls that count, as places in
`CONTROLS`, also of sites that cannot be published."""
CONTROLS = tuple(product(get_args(ClaimKind), (True, False), (True, False)))
"""Kind of claim, whether the control holds, whether the verifier said yes."""
_CODES = {answered: code for code, answered in enumerate(CONTROLS)}

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
    load_credits: Callable[[], pa.Table]
    """Loads the columns `pipeline.publishing.takedown.LAYER_COLUMNS` of its layer `imagery`."""


@dataclass(frozen=True)
class UnitPart:
    """The published part of a unit, and all that its rows take from the build beside its tables."""

    region: str
    unit: str
    content: str
    """Digest of the unit's tables."""
    sites: tuple[str, ...]
    """Ids of the sites to publish."""
    bounds: Bounds
    """Bounds of these sites."""
    map_licence: str | None
    """Licence of the region's map data, if its source is configured with one. Map cues carry it even without a chip."""
    synthetic: tuple[str, ...]
    """Names of the region's sources whose pictures are drawn and not taken, in order."""
    edited: tuple[Edited, ...] = ()
    """Edits that people made of these sites' descriptions; only edits that fit."""


def control_codes(controls: Iterable[Mapping[str, Any]]) -> list[int]:
    """The controls that count, each as its place in `CONTROLS`: a byte each, as a dataset may have millions."""
    return [_CODES[c["kind"], c["holds"], c["answer"] == "yes"] for c in controls if c["counted"]]


def unit_index(tables: UnitTables) -> pa.Table:
    """The index of one unit, from whole tables or from tables with just `INDEX_COLUMNS`.

    A site takes the reason of the first layer that it failed in. The layers are joined by `site_id`.

    Raises:
        ValueError: a layer lacks a site that is ok in the layer below, so the layers do not belong together.
    """
    later = {
        layer: {row["site_id"]: row for row in table.select(["site_id", "status", "reason"]).to_pylist()}
        for layer, table in ((CueRow.layer, tables.cues), (CaptionRow.layer, tables.captions))
    }
    controls = {
        row["site_id"]: control_codes(row["controls"])
        for row in tables.captions.select(["site_id", "controls"]).to_pylist()
    }
    digests = {
        row["site_id"]: [text_sha256(row[variant]) for variant in TEXTS]
        for row in tables.captions.select(["site_id", *TEXTS]).to_pylist()
    }
    rows = []
    texts = dict(zip(*(tables.captions[name].to_pylist() for name in ("site_id", "long")), strict=True))
    wanted = ["site_id", "reason", "lat", "lon", "weight", "views", "aerial"]
    for site in tables.imagery.select(wanted).to_pylist():
        reason, distractor = site["reason"], site["weight"] == 0  # also one that failed: see `Site.distractor`
        for layer, known in later.items():
            if reason is None and not distractor:
                if site["site_id"] not in known:
                    raise ValueError(f"site {site['site_id']} is ok so far but has no row in layer {layer}")
                row = known[site["site_id"]]
                reason = None if row["status"] == "ok" else row["reason"]
        flat = [view["phash"] for view in site["views"] if view["projection"] == "perspective"]
        if reason is None and not distractor and not flat:
            reason = Reason.NO_STREET_VIEW
        sample = reason is None and not distractor
        rows.append(
            {
                "site_id": site["site_id"],
                "lat": site["lat"],
                "lon": site["lon"],
                "reason": reason,
                "distractor": distractor,
                "phash": flat[0] if sample else None,
                "aerial_phash": site["aerial"]["phash"] if sample and site["aerial"] else None,
                "sequences": sorted({f"{v['source']} {v['sequence']}" for v in site["views"] if v["sequence"]}),
                "controls": controls.get(site["site_id"], []),
                "photos": sorted({f"{v['source']} {v['source_id']}" for v in site["views"]}),
                "text": sketch(texts[site["site_id"]]) if sample else None,
                "texts": digests.get(site["site_id"], []),
            }
        )
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
