"""The licence class of each part of a sample, and filters by them."""

from collections.abc import Callable
from pathlib import Path

import h3
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import ImageryRow
from tests.publishing.folders import manifest_of
from tools.verify.verify import verify


def open_street(row: ImageryRow) -> ImageryRow:
    """Street views under CC-BY; the last of them, where there are several, under a licence that nobody knows."""
    views = [view.model_copy(update={"licence": "CC-BY-4.0"}) for view in row.views]
    if len(views) > 1:
        views[-1] = views[-1].model_copy(update={"licence": "who-knows-1.0"})
    return row.model_copy(update={"views": views})


@pytest.fixture
def folder(make_build: Callable[..., Build], make_unit: Callable[..., FinishedUnit], tmp_path: Path) -> Path:
    cells = [h3.latlng_to_cell(52.2 + 0.05 * n, 13.2, 9) for n in range(4)]
    units = [make_unit("north", cell, sites=4, change=open_street) for cell in cells]
    publish(make_build(), units, open_store(str(tmp_path)), synthetic=set(), provenance={})
    return tmp_path


def test_each_part_has_its_own_class(folder: Path) -> None:
    shards = ds.dataset([folder / shard.path for shard in manifest_of(folder).shards])
    for row in shards.to_table().to_pylist():
        several, no_aerial = row["sample_id"].endswith("1"), row["sample_id"].endswith("2")
        assert row["street_licence_class"] == ("other" if several else "attribution")
        assert row["aerial_licence_class"] == (None if no_aerial else "attribution")
        assert row["drone_licence_class"] is None
        assert row["map_licence_class"] == row["map_data_licence_class"] == "share-alike"
        assert row["licence_class"] == ("other" if several else "share-alike")
        assert row["missing"] == ([{"view": "aerial", "reason": "no_overlap"}] if no_aerial else [])
    # The strictest class finds none of them; the parts that a trainer uses do.
    assert shards.count_rows(filter=ds.field("licence_class") == "attribution") == 0
    free = (ds.field("street_licence_class") == "attribution") & (ds.field("aerial_licence_class") == "attribution")
    assert shards.count_rows(filter=free) == 8
    counts = manifest_of(folder).counts
    assert counts.part_classes == {
        "street": {"attribution": 12, "other": 4},
        "aerial": {"attribution": 12},
        "drone": {},
        "map": {"share-alike": 16},
        "map_data": {"share-alike": 16},
    }
    assert counts.missing == {"aerial: no_overlap": 4}
    assert "| `street` | 0 | 12 | 0 | 4 |" in (folder / "README.md").read_text()


def test_the_index_has_the_classes_too(folder: Path) -> None:
    (table,) = (folder / "revisions").glob("*/samples.parquet")
    rows = pq.read_table(table, filters=[("street_licence_class", "==", "other")])
    assert rows.num_rows == 4
    assert set(rows["map_data_licence_class"].to_pylist()) == {"share-alike"}


def test_a_class_that_its_pictures_deny_is_a_fault(folder: Path) -> None:
    shard = folder / manifest_of(folder).shards[0].path
    table = pq.read_table(shard)
    at = table.column_names.index("street_licence_class")
    pq.write_table(table.set_column(at, table.schema.field(at), [["public-domain"] * table.num_rows]), shard)
    faults = [fault for fault in verify(open_store(str(folder))) if fault.column == "street_licence_class"]
    assert len(faults) == table.num_rows
