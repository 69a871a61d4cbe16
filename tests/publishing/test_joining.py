"""The columns of a join are those of joining records one by one, whatever the layers hold."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.publishing.content import ContentHash
from pipeline.publishing.counts import RunningCounts
from pipeline.publishing.decisions import Edit, Edited, text_sha256
from pipeline.publishing.joining import join
from pipeline.publishing.layout import columns, published
from pipeline.publishing.units import UnitPart, UnitTables
from schemas.arrow import from_table, to_table
from schemas.reasons import Reason
from schemas.records import AERIAL, CaptionRow, CueRow, ImageryRow, MissingView, Note, Sample, Sentence
from tests.publishing import joined_records
from tests.publishing.conftest import chip, site_rows, street_view
from tests.publishing.joined_records import RecordCounts

CELL = h3.latlng_to_cell(52.3, 13.4, 9)
LICENCES = ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODbL-1.0", "LicenseRef-Own", ""]
Rows = tuple[ImageryRow, CueRow, CaptionRow]


def with_record_schema(samples: list[Sample]) -> pa.Table:
    return pa.Table.from_pylist([published(sample) for sample in samples], schema=columns())


@st.composite
def units(draw: st.DrawFn) -> tuple[UnitTables, UnitPart]:
    """The layers of a unit with views, chips and cues of all kinds missing or not, and some of its sites."""
    rows = [_changed(draw, BASE[number]) for number in range(draw(st.integers(1, 4)))]
    orders = [draw(st.permutations(layer)) for layer in zip(*rows, strict=True)]
    imagery, cues, captions = (to_table(type(some[0]), some) for some in orders)
    sites = draw(st.lists(st.sampled_from([row.site_id for row, _, _ in rows]), min_size=1, unique=True))
    edits = [_edited(caption) for _, _, caption in rows if caption.site_id in sites and draw(st.booleans())]
    part = UnitPart(
        region="north", unit=CELL, content="abc", sites=tuple(sites), bounds=(13.0, 52.0, 14.0, 53.0),
        map_licence=draw(st.sampled_from([None, "ODbL-1.0", ""])),
        synthetic=tuple(sorted(draw(st.sets(st.sampled_from(["photos", "ortho", "osm"]))))),
        edited=tuple(edits),
    )  # fmt: skip
    return UnitTables(imagery, cues, captions), part


def _changed(draw: st.DrawFn, rows: Rows) -> Rows:
    site, cues, caption = rows
    terms = st.fixed_dictionaries({"licence": st.sampled_from(LICENCES), "redistributable": st.booleans()})
    kinds = draw(st.lists(st.sampled_from(["perspective", "perspective", "equirectangular"]), max_size=4))
    times = [None, datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(1999, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)]
    views = [site.views[0]] if site.views[0].projection == "perspective" else [site.views[1]]
    views += [
        street_view(site.site_id, site.lat, site.lon, 3, kind).model_copy(update={"view_id": f"{5 + n}"})
        for n, kind in enumerate(kinds)
    ]
    views = [
        view.model_copy(
            update=draw(terms)
            | {"captured_at": draw(st.sampled_from(times)), "truth": draw(st.sampled_from([None, '{"objects": []}']))}
            | {"sequence": draw(st.sampled_from([None, "s"])), "heading_deg": draw(st.sampled_from([None, 12.5]))}
        )
        for view in draw(st.permutations(views))
    ]
    made = {
        kind: chip(site.site_id, site.lat, site.lon, like).model_copy(update=draw(terms))
        if draw(st.booleans())
        else None
        for kind, like in (("aerial", "aerial"), ("drone", "aerial"), ("map", "map"))
    }
    scales = [chip(site.site_id, site.lat, site.lon, "aerial") for _ in range(draw(st.integers(0, 2)))]
    reasons = st.sampled_from([Reason.NO_OVERLAP, Reason.UNREACHABLE])
    missing = draw(st.lists(st.tuples(st.sampled_from(["aerial", "drone", "street"]), reasons), max_size=3))
    site = site.model_copy(
        update={
            **made,
            "views": views,
            "aerial_scales": scales,
            "missing": [MissingView(view=view, reason=reason, detail="said") for view, reason in missing],
        }
    )
    main = next(view for view in views if view.projection == "perspective")
    looks = [
        look.model_copy(update={"view_id": name})
        for name in dict.fromkeys([main.view_id, *([AERIAL] if draw(st.booleans()) else []), "other"])
        for look in draw(st.permutations(cues.signatures[:3]))
    ]
    cues = cues.model_copy(update={"signatures": looks, "cues": cues.cues[: draw(st.integers(0, 2))]})
    note = Note(
        note_id="n1", kind="thing", view_id=main.view_id, what="wall", looks="", text=None, side="left", position=None,
        bearing_deg=None, depth="near",
    )  # fmt: skip
    told = {
        "notes": draw(st.sampled_from([[], [note]])),
        "street": draw(st.sampled_from([None, "A sign."])),
        "model": draw(st.sampled_from([None, "m"])),
    }
    return site, cues, caption.model_copy(update=told)


def _edited(caption: CaptionRow) -> Edited:
    sentence = Sentence(variant="short", text="A shop.", cue_ids=["t1"])
    edit = Edit(variant="short", old_sha256=text_sha256(caption.short), text="A shop.", tokens=4, sentences=[sentence])
    return Edited(sample_id=caption.site_id, by="ann", edits=[edit])


BASE = [site_rows("north", CELL, number) for number in range(4)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(units())
def test_columns_are_those_of_records(given: tuple[UnitTables, UnitPart]) -> None:
    samples = list(joined_records.join(*given, "val"))
    table = join(*given, "val")
    assert table.schema.equals(columns())
    assert table.equals(with_record_schema(samples))
    counts, by_records = RunningCounts(), RecordCounts()
    counts.add(table.slice(0, 1))
    counts.add(table.slice(1))
    for sample in samples:
        by_records.add_sample(sample)
    assert counts.counts() == by_records.counts()
    assert counts.rows == len(samples)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(units(), st.data())
def test_the_hash_is_of_the_content_alone(
    tmp_path_factory: pytest.TempPathFactory, given: tuple[UnitTables, UnitPart], data: st.DataObject
) -> None:
    table = join(*given, "val")
    whole = _hash(table)
    cut = data.draw(st.integers(0, table.num_rows))
    assert _hash(table.slice(0, cut), table.slice(cut)) == whole
    path = tmp_path_factory.mktemp("hash") / "x.parquet"  # other pages, codecs and dictionaries
    pq.write_table(table, path, compression="gzip", row_group_size=1)
    assert _hash(pq.read_table(path)) == whole
    rows = table.to_pylist()
    name = data.draw(st.sampled_from([name for name in columns().names if rows[0][name] is not None]))
    other = dict(rows[0]) | {name: _other(rows[0][name])}
    assert _hash(pa.Table.from_pylist([other, *rows[1:]], schema=columns())) != whole


def _hash(*tables: pa.Table) -> str:
    found = ContentHash()
    for table in tables:
        found.add(table)
    return found.hexdigest()


def _other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, dict):
        key = next(key for key, inner in value.items() if inner is not None)
        return value | {key: _other(value[key])}
    if isinstance(value, list):
        return [*value, value[-1]] if value else [None]
    return not value if isinstance(value, bool) else value * 2 + 1 if isinstance(value, int | float) else value + value


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (pa.string(), [["ab", "c"], ["a", "bc"], ["ab", "c", None], ["ab", "c", ""]]),
        (pa.list_(pa.string()), [[[], ["x"]], [["x"], []], [None, ["x"]], [["x"], ["x"]]]),
    ],
)
def test_values_do_not_run_into_each_other(kind: pa.DataType, columns: list[list[Any]]) -> None:
    assert len({_hash(pa.table({"a": pa.array(values, kind)})) for values in columns}) == len(columns)


def test_rows_of_an_earlier_version_get_the_defaults() -> None:
    """A layer that was written before a field was there."""
    imagery, cues, caption = BASE[1]
    tables = UnitTables(to_table(ImageryRow, [imagery]), to_table(CueRow, [cues]), to_table(CaptionRow, [caption]))
    part = UnitPart("north", CELL, "abc", (imagery.site_id,), (13.0, 52.0, 14.0, 53.0), None, ())
    whole = join(tables, part, "train")
    rows = tables.imagery.to_pylist()
    for view in rows[0]["views"]:
        del view["heading_source"], view["redistributable"]
    for name in ("drone", "aerial_scales", "charted"):
        del rows[0][name]
    older = replace(tables, imagery=pa.Table.from_pylist(rows))
    assert join(older, part, "train").equals(whole)
    assert from_table(ImageryRow, older.imagery) == [imagery]
    with pytest.raises(ValueError, match=r"ImageryRow\.views is missing"):
        join(replace(tables, imagery=tables.imagery.drop_columns(["views"])), part, "train")
    with pytest.raises(ValueError, match="no field price"):
        join(replace(tables, cues=tables.cues.append_column("price", pa.array([1]))), part, "train")


def test_layers_that_do_not_belong_together_are_refused() -> None:
    """The index refuses such sites before; a join that is handed them all the same makes no row of them."""
    imagery, cues, caption = BASE[1]
    part = UnitPart("north", CELL, "abc", (imagery.site_id,), (13.0, 52.0, 14.0, 53.0), None, ())
    layers: dict[str, list[Any]] = {"imagery": [imagery], "cues": [cues], "captions": [caption]}
    wrong: list[tuple[str, list[Any], str]] = [
        ("cues", [], f"site {imagery.site_id} has no row in a layer"),
        ("captions", [caption.model_copy(update={"long": None})], "has no street view or no description"),
        ("imagery", [imagery.model_copy(update={"views": []})], "has no street view or no description"),
        ("cues", [cues.model_copy(update={"signatures": []})], "no signatures"),
        ("cues", [cues.model_copy(update={"signatures": cues.signatures[:2]})], "some of its signatures and not all"),
    ]
    kinds: dict[str, Any] = {"imagery": ImageryRow, "cues": CueRow, "captions": CaptionRow}
    for layer, rows, said in wrong:
        tables = {name: to_table(kinds[name], some) for name, some in (layers | {layer: rows}).items()}
        with pytest.raises(ValueError, match=said):
            join(UnitTables(**tables), part, "train")
