"""Read back with datasets' ImageFolder, and with pyarrow."""

from pathlib import Path

import datasets
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.records import Sample
from tests.tools.export.conftest import Exported


def test_image_folder(
    exported: Exported, folder: Path, varied: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    exported("hf")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 8, "test": 4}
    by_id = {sample.sample_id: sample for sample in varied}
    for row in (row for split in loaded.values() for row in split):
        sample = by_id.pop(row["sample_id"])
        assert isinstance(row["street"], PIL.Image.Image)
        assert row["street"].size == (320, 240)
        for role in ("panorama", "aerial", "drone", "map"):
            assert (row[role] is None) == (getattr(sample, role) is None), role
        assert row["description"] == sample.description
        assert row["aerial_licence_class"] == sample.aerial_licence_class
        assert [cue["label"] for cue in row["cues"]] == ["sign", "hedge", "road"]
    assert not by_id


def test_a_recipe_has_ids_positions_and_texts_but_no_pixel(
    exported: Exported, folder: Path, varied: list[Sample]
) -> None:
    exported("recipe")
    assert {path.name for path in folder.iterdir()} == {"recipe.parquet", "attribution.parquet"}
    table = pq.read_table(folder / "recipe.parquet")

    def kinds(kind: pa.DataType) -> list[pa.DataType]:
        inner = [kind.value_type] if pa.types.is_list(kind) else list(kind.fields) if pa.types.is_struct(kind) else []
        return [kind] + [found for one in inner for found in kinds(one.type if isinstance(one, pa.Field) else one)]

    assert not any(pa.types.is_binary(found) for field in table.schema for found in kinds(field.type))
    assert not {"cues", "notes", "street_signatures", "aerial_signatures"} & set(table.column_names)
    rows = {row["sample_id"]: row for row in table.to_pylist()}
    for sample in varied:
        row = rows[sample.sample_id]
        assert (row["lat"], row["lon"], row["description"]) == (sample.lat, sample.lon, sample.description)
        assert row["street_view"]["source_id"] == sample.street_view.source_id
        assert row["street_view"]["heading_deg"] == 45.0
        chip = sample.aerial_chip
        assert row["aerial_chip"] is None if chip is None else row["aerial_chip"]["crs"] == chip.crs
