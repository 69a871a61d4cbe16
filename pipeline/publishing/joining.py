"""Joins the three layers of a unit to rows of a shard, column by column. No picture becomes a Python object.

The layers' rows were checked when they were written, and reading a table checks its bytes: they are not checked again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel

from pipeline.publishing.decisions import Edit, replaced
from pipeline.publishing.layout import columns
from pipeline.publishing.nested import Elements, Places, elements, list_of, one_piece, published, struct_of, taken
from pipeline.publishing.row_groups import rows_within
from pipeline.publishing.terms import Terms
from pipeline.publishing.units import UnitPart, UnitTables
from schemas.arrow import fitted, from_table, to_table
from schemas.licences import Part
from schemas.records import AERIAL, CaptionRow, CueRow, ImageryRow, Split

_WRITTEN = {
    "description": "long",
    "description_short": "short",
    "description_street": "street",
    "description_tokens": "long_tokens",
    "description_short_tokens": "short_tokens",
    "description_street_tokens": "street_tokens",
    "description_frame": "long_frame",
    "description_short_frame": "short_frame",
    "description_street_frame": "street_frame",
    **{name: name for name in ("language", "sentences", "notes", "captioner", "prompt_set", "model")},
}
"""Columns that are those of the captions, and their names there."""
_CHIPS: tuple[Part, ...] = ("aerial", "drone", "map")
MOST_BYTES = 2**30
"""Most of a layer's rows that are joined at once: a column of Arrow's in one piece has less than 2 GiB of pictures."""


def runs(imagery: pa.Table, sites: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Sites of a unit, given its imagery, in the order of their ids: as many at a time as are joined at once."""
    ordered, most = sorted(sites), rows_within(imagery, MOST_BYTES)
    for start in range(0, len(ordered), most):
        yield tuple(ordered[start : start + most])


def join(tables: UnitTables, part: UnitPart, split: Split) -> pa.Table:
    """The rows of a unit's sites that are published, in the order of their ids, with the columns of a shard.

    Args:
        tables: the unit's layers; each holds an ok row of every site of the part.
        part: which sites, and what of the build's settings stands in their rows.
        split: where they go.

    Raises:
        ValueError: the layers lack something that every published site has, so they do not belong together.
    """
    ids = sorted(part.sites)
    imagery = LayerRows(ImageryRow, tables.imagery, ids)
    cues = LayerRows(CueRow, tables.cues, ids)
    captions = LayerRows(CaptionRow, _edited(tables.captions, part), ids)
    terms = Terms(len(ids), part.synthetic)
    views = imagery.elements("views")
    flat = views.having("projection", "perspective")
    main, panorama = flat.first(len(ids)), views.having("projection", "equirectangular").first(len(ids))
    if (main < 0).any() or captions.column("long").null_count or captions.column("short").null_count:
        raise ValueError(f"a site of unit {part.unit} has no street view or no description, and is to be published")
    terms.credit("street", flat)
    terms.credit("street", Elements(views.values, panorama[panorama >= 0], np.flatnonzero(panorama >= 0)))
    found = {
        **place_columns(imagery, split),
        **view_columns(views.values, main, "street", "street_view", ids),
        **view_columns(views.values, panorama, "panorama", "panorama_view", ids),
        **chip_columns(imagery, terms),
        "other_views": _pictures_of(flat.rest(), "other_views", "other", ids, drawn=part.synthetic),
        **{name: captions.column(theirs) for name, theirs in _WRITTEN.items()},
        "cues": cues.column("cues"),
        **_signatures(cues.elements("signatures"), taken(views.values.field("view_id"), main)),
        **_of_map_data(cues, imagery, part, terms).columns(),
    }
    return table_of(found, len(ids))


class LayerRows:
    """Rows of a layer's table by the ids of their sites.

    Raises:
        ValueError: it lacks one.
    """

    def __init__(self, record: type[BaseModel], table: pa.Table, ids: Sequence[str]) -> None:
        if table["site_id"].num_chunks > 1:  # only these rows may fit into one piece
            table = table.filter(pc.is_in(table["site_id"], value_set=pa.array(ids, pa.string())))
        self._table = fitted(record, table)
        self.ids = ids
        self.at: Places = (
            pc.fill_null(pc.index_in(pa.array(ids, pa.string()), one_piece(self._table["site_id"])), -1)
            .to_numpy()
            .astype(np.int64)
        )
        if (self.at < 0).any():
            raise ValueError(f"site {ids[int(np.argmin(self.at))]} has no row in a layer ({record.__name__})")

    def column(self, name: str) -> pa.Array:
        """A column of these rows."""
        return taken(one_piece(self._table[name]), self.at)

    def elements(self, name: str) -> Elements:
        """The elements of a column of lists."""
        return elements(one_piece(self._table[name]), self.at)

    def records(self, name: str) -> Elements:
        """The records of a column that may be null, as elements of the rows that have one."""
        column = one_piece(self._table[name])
        there = column.is_valid().to_numpy(zero_copy_only=False)[self.at]
        return Elements(column, self.at[there], np.flatnonzero(there))


def table_of(found: Mapping[str, pa.Array], rows: int) -> pa.Table:
    """A table with the columns of a shard. Those that are not found are null, or empty lists."""
    return pa.Table.from_arrays(
        [
            published(found[field.name], field.type) if field.name in found else _absent(field.type, rows)
            for field in columns()
        ],
        schema=columns(),
    )


def _absent(kind: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_list(kind):
        return list_of(pa.array([], kind.value_type), np.empty(0, np.int64), rows, kind)
    return pa.nulls(rows, kind)


def place_columns(imagery: LayerRows, split: Split) -> dict[str, pa.Array]:
    """The columns that say where a sample is, what it stands for and what it lacks."""
    rows = len(imagery.ids)
    lat, lon = imagery.column("lat"), imagery.column("lon")
    missing = imagery.elements("missing")
    kind = columns().field("missing").type
    lacking = {name: missing.column(name) for name in ("view", "reason")}
    points = shapely.points(lon.to_numpy(), lat.to_numpy())
    return {
        "sample_id": imagery.column("site_id"),
        "region": imagery.column("region"),
        "unit": imagery.column("unit"),
        "split": pa.repeat(pa.scalar(split, pa.string()), rows),
        "lat": lat,
        "lon": lon,
        "geometry": pa.array(shapely.to_wkb(points, byte_order=1).tolist(), pa.binary()),
        "bbox": struct_of(
            columns().field("bbox").type, {"xmin": lon, "ymin": lat, "xmax": lon, "ymax": lat}, np.ones(rows, np.bool_)
        ),
        "weight": imagery.column("weight"),
        "missing": list_of(
            struct_of(kind.value_type, lacking, np.ones(len(missing.row), np.bool_)), missing.row, rows, kind
        ),
    }


def chip_columns(imagery: LayerRows, terms: Terms) -> dict[str, pa.Array]:
    """The columns that hold pictures from above and their metadata; whose terms are added to `terms`."""
    found: dict[str, pa.Array] = {}
    for name in _CHIPS:
        chips = imagery.records(name)
        terms.credit(name, chips)
        found |= view_columns(chips.values, chips.first(len(imagery.ids)), name, f"{name}_chip", imagery.ids)
    scales = imagery.elements("aerial_scales")
    terms.credit("aerial", scales)
    return found | {"aerial_scales": _pictures_of(scales, "aerial_scales", "scale", imagery.ids)}


def view_columns(values: pa.StructArray, at: Places, name: str, info: str, ids: Sequence[str]) -> dict[str, pa.Array]:
    """A column of pictures and the one of their metadata, from records at some places."""
    kind = columns().field(info).type
    fields = {field.name: taken(values.field(field.name), at) for field in kind}
    named = [f"{site}-{name}" for site in ids]
    return {name: _named(values.field("image"), at, named), info: struct_of(kind, fields, at >= 0)}


def _pictures_of(some: Elements, column: str, name: str, ids: Sequence[str], drawn: Sequence[str] = ()) -> pa.ListArray:
    """A column of lists of pictures with their metadata; the truth of a view stays where its source is `drawn`."""
    kind = columns().field(column).type
    named = [
        f"{ids[row]}-{name}-{number + 1}"
        for row, number in zip(some.row.tolist(), some.numbers(len(ids)).tolist(), strict=True)
    ]
    image = _named(some.values.field("image"), some.at, named)
    fields = {field.name: some.column(field.name) for field in kind.value_type if field.name != "image"}
    if "truth" in fields:
        known = pc.is_in(fields["source"], value_set=pa.array(drawn, pa.string()))
        fields["truth"] = pc.if_else(known, fields["truth"], pa.scalar(None, pa.string()))
    pictures = struct_of(kind.value_type, {**fields, "image": image}, np.ones(len(some.row), np.bool_))
    return list_of(pictures, some.row, len(ids), kind)


def _named(images: pa.StructArray, at: Places, names: Sequence[str]) -> pa.StructArray:
    """Pictures under names that no other of the dataset has: tools that unpack a dataset name files by it."""
    paths = taken(images.field("path"), at).to_pylist()
    named = [name + _suffix(path) if path is not None else None for name, path in zip(names, paths, strict=True)]
    fields = {"bytes": taken(images.field("bytes"), at), "path": pa.array(named, pa.string())}
    return struct_of(columns().field("street").type, fields, at >= 0)


@cache
def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix


def _signatures(all_of_them: Elements, main: pa.Array) -> dict[str, pa.Array]:
    """The signatures of the main street view and of the aerial chip."""
    name = columns().field("street_signatures").type
    rows = len(main)
    found = {}
    for column, ids in (("street_signatures", main), ("aerial_signatures", pa.repeat(AERIAL, rows))):
        own = all_of_them.where(_equal(all_of_them.column("view_id"), taken(ids, all_of_them.row)))
        at = {field.name: own.having("kind", field.name).first(rows) for field in name}
        there = np.max(list(at.values()), axis=0) >= 0
        if any((places[there] < 0).any() for places in at.values()):
            raise ValueError("a picture has some of its signatures and not all")
        values = own.values.field("values")
        found[column] = struct_of(name, {kind: taken(values, places) for kind, places in at.items()}, there)
    if found["street_signatures"].null_count:
        raise ValueError("a main street view has no signatures")
    return found


def _equal(left: pa.Array, right: pa.Array) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = pc.equal(left, right).to_numpy(zero_copy_only=False)
    return equal


def _of_map_data(cues: LayerRows, imagery: LayerRows, part: UnitPart, terms: Terms) -> Terms:
    """Add the licence of map data, which rows with a map cue hold: the configured one, or else that of the chip."""
    charted = np.unique(cues.elements("cues").having("kind", "map").row)
    chips = imagery.records("map")
    of_chips = taken(chips.values.field("licence"), chips.first(len(imagery.ids))[charted])
    configured = pa.repeat(pa.scalar(part.map_licence, pa.string()), len(charted))
    terms.state("map_data", charted, of_chips if part.map_licence is None else configured)
    return terms


def _edited(captions: pa.Table, part: UnitPart) -> pa.Table:
    """The captions as people left them."""
    if not part.edited:
        return captions
    edits = {one.sample_id: one.edits for one in part.edited}
    return to_table(CaptionRow, [_with(row, edits.get(row.site_id, [])) for row in from_table(CaptionRow, captions)])


def _with(caption: CaptionRow, edits: Sequence[Edit]) -> CaptionRow:
    changes: dict[str, Any] = {}
    for edit in edits:
        changes |= {edit.variant: edit.text, f"{edit.variant}_tokens": edit.tokens}
    return caption.model_copy(update=changes | {"sentences": replaced(caption.sentences, edits)}) if edits else caption
