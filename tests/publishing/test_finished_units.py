import io
from collections.abc import Callable

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.publishing.units import INDEX_COLUMNS, FinishedUnit, UnitTables, unit_index
from schemas.reasons import Reason
from schemas.records import ImageryRow

CELL = h3.latlng_to_cell(52.3, 13.4, 9)


def projected(table: pa.Table, layer: str) -> pa.Table:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return pq.ParquetFile(buffer).read(columns=INDEX_COLUMNS[layer])


def test_index_needs_no_picture(make_unit: Callable[..., FinishedUnit]) -> None:
    unit = make_unit("north", CELL, sites=3, bad=1)
    whole = unit.load()
    light = UnitTables(
        projected(whole.imagery, "imagery"), projected(whole.cues, "cues"), projected(whole.captions, "captions")
    )
    assert light.imagery.nbytes < whole.imagery.nbytes / 20
    assert unit_index(light) == unit_index(whole)


def test_index_takes_the_first_reason_and_the_first_perspective_view(make_unit: Callable[..., FinishedUnit]) -> None:
    tables = make_unit("north", CELL, sites=3, bad=1).load()
    captions = tables.captions.to_pylist()
    captions[2] |= {"status": "failed", "reason": Reason.TOO_LONG}
    failed = UnitTables(tables.imagery, tables.cues, pa.Table.from_pylist(captions, schema=tables.captions.schema))
    rows = {row["site_id"][-3:]: row for row in unit_index(failed).to_pylist()}
    assert {number: row["reason"] for number, row in rows.items()} == {
        "000": None,
        "001": None,
        "002": "too_long",
        "003": "no_street_view",
    }
    views = tables.imagery.to_pylist()[1]["views"]
    assert views[0]["projection"] == "equirectangular"
    assert rows["001"]["phash"] == views[1]["phash"]
    assert rows["002"]["phash"] is None


def test_a_site_without_a_perspective_view_has_no_street_view(make_unit: Callable[..., FinishedUnit]) -> None:
    def only_panorama(row: ImageryRow) -> ImageryRow:
        return row.model_copy(update={"views": [v for v in row.views if v.projection == "equirectangular"]})

    index = make_unit("north", CELL, sites=2, change=only_panorama).load_index()
    assert index["reason"].to_pylist() == ["no_street_view"] * 2


def test_layers_that_do_not_belong_together_are_refused(make_unit: Callable[..., FinishedUnit]) -> None:
    tables = make_unit("north", CELL, sites=3).load()
    with pytest.raises(ValueError, match="no row in layer captions"):
        unit_index(UnitTables(tables.imagery, tables.cues, tables.captions.slice(1)))
