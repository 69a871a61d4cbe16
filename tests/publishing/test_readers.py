"""One published folder, opened with every reader that the card promises and some more."""

import ast
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import duckdb
import geopandas
import polars as pl
import pyarrow.dataset as ds
import pytest

from pipeline.config.build import Build
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.docs.recipes import DOCS, ROOT, blocks
from tests.publishing import reading
from tests.publishing.folders import manifest_of
from tests.publishing.reading import check

TRAIN = 32
EXAMPLES = [
    pytest.param(block.text, id=f"{page.stem}-{number}", marks=[pytest.mark.models] if "torch" in block.text else [])
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    for number, block in enumerate(blocks(page))
    if block.language == "python"
]


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


def test_datasets(folder: Path, cache: str) -> None:
    assert check(folder, cache) == {"train": TRAIN, "val": 5, "test_seen": 3}


@pytest.mark.readers
@pytest.mark.parametrize("version", ["2.19.0", "3.6.0", "4.0.0"])
def test_older_versions_of_datasets(folder: Path, tmp_path: Path, version: str) -> None:
    if "GEOSCRIBE_READERS" not in os.environ:
        pytest.skip("older versions of datasets are what `make test-readers` installs and tests")
    python = Path(os.environ["GEOSCRIBE_READERS"]) / version / "bin" / "python"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [str(python), reading.__file__, str(folder), str(tmp_path / "cache")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith(f"{version} {{")


def test_datasets_streaming_goes_on_where_it_was(folder: Path, cache: str) -> None:
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache)
    ids = [row["sample_id"] for row in stream]
    assert len(set(ids)) == TRAIN
    resumed = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache)
    rows = iter(stream)
    for _ in range(9):
        next(rows)
    resumed.load_state_dict(stream.state_dict())
    assert [row["sample_id"] for row in resumed] == ids[9:]


@pytest.mark.models
def test_whole_rows_become_tensors(folder: Path, cache: str) -> None:
    torch = pytest.importorskip("torch")
    rows = datasets.load_dataset(str(folder), split="train", cache_dir=cache).with_format("torch")
    for i in range(TRAIN):
        row = rows[i]
        assert row["street"].shape == (3, 72, 96)
        assert row["lat"].dtype.is_floating_point
        assert row["street_signatures"]["colour"].shape == (48,)
        assert row["map_chip"]["captured_at"] == "2023-07-01T00:00:00Z"
        assert all(view["image"].shape == (3, 72, 96) for view in row["other_views"])
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache).with_format("torch")
    assert sum(isinstance(row["street"], torch.Tensor) for row in stream) == TRAIN


@pytest.mark.models
def test_torch_data_loader(folder: Path, cache: str) -> None:
    """The columns that the default collate function takes as they are: those that no sample lacks."""
    data = pytest.importorskip("torch.utils.data")
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=cache).with_format("torch")
    light = stream.select_columns(["sample_id", "lat", "lon", "weight", "description", "map", "bbox"])
    batches = list(data.DataLoader(light, batch_size=8))
    assert sum(len(batch["sample_id"]) for batch in batches) == TRAIN
    assert batches[0]["map"].shape == (8, 3, 64, 64)
    assert batches[0]["lat"].dtype.is_floating_point


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
    shards = [folder / shard.path for shard in manifest_of(folder).shards if set(shard.counts.regions) == {"south"}]
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


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_pages_examples_run_as_printed_and_find_rows(
    code: str, folder: Path, tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "torch" in code:
        pytest.importorskip("torch")
    names = set(re.findall(r'"(out/[\w-]+/dataset)"', code))
    assert names
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", Path(cache))
    assert all(shown(code))


def shown(code: str) -> list[Any]:
    """Run an example; returns what its bare expressions show where they are typed in, a query as its rows."""
    names: dict[str, Any] = {}
    values = []
    for statement in ast.parse(code).body:
        text = ast.unparse(statement)
        if not isinstance(statement, ast.Expr):
            exec(text, names)
            continue
        value = eval(text, names)
        values.append(value.fetchall() if isinstance(value, duckdb.DuckDBPyRelation) else value)
    return values
