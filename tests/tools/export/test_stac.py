"""Read back with stac-geoparquet, pystac and geopandas."""

import json
from pathlib import Path

import geopandas
import pyarrow.parquet as pq
import pystac
import pytest

from schemas.records import Sample
from tests.tools.export.conftest import Exported

arrow = pytest.importorskip("stac_geoparquet.arrow")


def test_items_come_back_whole(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("stac")
    by_id = {sample.sample_id: sample for sample in varied}
    items = list(arrow.stac_table_to_items(pq.read_table(folder / "items.parquet")))
    assert {item["id"] for item in items} == by_id.keys()
    for content in items:
        item = pystac.Item.from_dict(content)
        sample = by_id[item.id]
        named = {"street", "panorama", "aerial", "drone", "map"}
        assert item.assets.keys() == {name for name in named if getattr(sample, name) is not None}
        for name, asset in item.assets.items():
            assert (folder / asset.href).read_bytes() == getattr(sample, name).bytes
            assert asset.media_type == "image/jpeg"
        assert item.assets["street"].extra_fields["author"] == sample.street_view.author
        assert item.assets["street"].extra_fields["license"] == "CC-BY-4.0"
        chip = sample.aerial_chip or sample.map_chip
        assert chip is not None
        assert item.bbox == pytest.approx([chip.west, chip.south, chip.east, chip.north])
        assert item.properties["geoscribe:split"] == sample.split
    undated = next(item for item in items if item["id"].endswith("5"))
    assert undated["properties"]["datetime"] is None
    assert undated["properties"]["start_datetime"].startswith("1970-01-01")
    dated = next(item for item in items if item["id"].endswith("1"))
    assert dated["properties"]["datetime"].startswith("2024-05-01T12:00:00")


def test_geopandas_and_pystac_read_it(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("stac")
    frame = geopandas.read_parquet(folder / "items.parquet")
    assert len(frame) == len(varied)
    assert frame.geometry.is_valid.all()
    collection = pystac.Collection.from_dict(json.loads((folder / "collection.json").read_text()))
    west, south, east, north = collection.extent.spatial.bboxes[0]
    assert (west, south, east, north) == pytest.approx(frame.total_bounds)
