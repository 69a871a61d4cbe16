"""One published folder, opened with every reader that the card promises and some more."""

import re
from collections.abc import Callable
from pathlib import Path

import datasets
import duckdb
import geopandas
import PIL.Image
import polars as pl
import pyarrow.dataset as ds
import pytest

from pipeline.config.build import Build
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store

TRAIN, PICTURES = 31, ("street", "panorama", "aerial", "map")


@pytest.fixture(scope="module")
def folder(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    build = make_build(shard_mb=0.15, row_group_mb=0.03)
    publish(build, units, open_store(str(folder)), synthetic=set(), provenance={})
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return str(tmp_path / "cache")


def check_row(row: dict[str, object], number: str) -> None:
    """A row as `datasets` gives it: site 1 has a panorama and more views, site 2 lacks the aerial chip."""
    present = {name for name in PICTURES if row[name] is not None}
    assert present == set(PICTURES) - ({"aerial"} if number == "002" else set()) - (
        set() if number == "001" else {"panorama"}
    )
    street = row["street"]
    assert isinstance(street, PIL.Image.Image)
    assert street.size == (96, 72)
    assert signature_lengths(row["street_signatures"]) == (48, 18, 32)
    assert number == "002" or signature_lengths(row["aerial_signatures"]) == (48, 18, 32)
    views = row["other_views"]
    assert isinstance(views, list)
    assert len(views) == (2 if number == "001" else 0)
    assert all(isinstance(view["image"], PIL.Image.Image) for view in views)


def signature_lengths(found: object) -> tuple[int, ...]:
    assert isinstance(found, dict)
    return len(found["colour"]), len(found["orientation"]), len(found["spectrum"])


def test_datasets(folder: Path, cache: str) -> None:
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": TRAIN, "val": 4, "test": 5}
    for row in loaded["train"]:
        check_row(row, row["sample_id"][-3:])


def test_datasets_without_the_card(folder: Path, cache: str) -> None:
    files = [str(path) for path in sorted((folder / "data" / "train").iterdir())]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
    check_row(loaded[1], loaded[1]["sample_id"][-3:])


def test_datasets_streaming(folder: Path, cache: str) -> None:
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache)
    ids = []
    for row in stream:
        check_row(row, row["sample_id"][-3:])
        ids.append(row["sample_id"])
    assert len(set(ids)) == TRAIN
    resumed = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache)
    rows = iter(stream)
    for _ in range(9):
        next(rows)
    resumed.load_state_dict(stream.state_dict())
    assert [row["sample_id"] for row in resumed] == ids[9:]


def test_torch_data_loader(folder: Path, cache: str) -> None:
    data = pytest.importorskip("torch.utils.data")
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache)
    light = stream.select_columns(["sample_id", "lat", "lon", "description"])
    batches = list(data.DataLoader(light, batch_size=8))
    assert sum(len(batch["sample_id"]) for batch in batches) == TRAIN
    assert str(batches[0]["lat"].dtype) == "torch.float64"


def test_pyarrow(folder: Path) -> None:
    dataset = ds.dataset(folder / "data", format="parquet")
    assert dataset.count_rows() == 40
    south = dataset.to_table(columns=["region", "bbox"], filter=ds.field("bbox", "ymax") < 0)
    assert set(south["region"].to_pylist()) == {"south"}
    assert south.num_rows == 10


def test_duckdb(folder: Path) -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select region, count(*), min(street_view.licence), count(aerial.bytes), max(len(other_views)), "
            "min(ST_AsText(geometry)) from read_parquet(?) where bbox.ymin between 52 and 53 group by region",
            [str(folder / "data/*/*.parquet")],
        ).fetchall()
    assert [row[:5] for row in rows] == [("north", 30, "CC-BY-SA-4.0", 24, 2)]
    assert rows[0][5].startswith("POINT (13.")


def test_geopandas(folder: Path) -> None:
    shards = sorted((folder / "data" / "train").glob("south-*.parquet"))
    frame = geopandas.read_parquet(shards[0], columns=["sample_id", "lat", "lon", "geometry"])
    assert frame.crs.to_string() == "OGC:CRS84"
    assert (frame.geometry.x == frame["lon"]).all()
    assert (frame.geometry.y == frame["lat"]).all()
    lat, lon = frame["lat"][0], frame["lon"][0]
    box = (lon - 1e-9, lat - 1e-9, lon + 1e-9, lat + 1e-9)
    assert len(geopandas.read_parquet(shards[0], columns=["sample_id", "geometry"], bbox=box)) == 1


def test_polars(folder: Path) -> None:
    scan = pl.scan_parquet(folder / "data/*/*.parquet")
    north = scan.filter(pl.col("bbox").struct.field("ymin") > 0).select("sample_id", pl.col("cues").list.len())
    frame = north.collect()
    assert len(frame) == 30
    assert set(frame["cues"]) == {2}


def test_the_card_s_examples(folder: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", Path(cache))
    found: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL):
        exec(block, found)
    assert found["sample"]["street"].size == (96, 72)  # type: ignore[index]  # whatever the example made
    assert found["table"].num_rows == 40  # type: ignore[attr-defined]  # likewise
