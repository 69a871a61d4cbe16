"""Damaged, foreign and older shards under the commands that read published data: told by name, nothing half-done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.errors import ConfigError, MachineError
from pipeline.publishing.revise import revise
from pipeline.publishing.takedown import Takedown
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.publishing.folders import files, manifest_of, put, samples
from tests.publishing.test_formats import unpacked
from tools.dataset import open_dataset
from tools.export.base import export
from tools.export.settings import format_of
from tools.subset import Selection, subset

Command = Callable[[Path, Path], Any]


def run_export(folder: Path, out: Path) -> None:
    export(open_dataset(str(folder)), out, format_of("webdataset", {}))


def run_subset(folder: Path, out: Path) -> None:
    subset(open_dataset(str(folder)), open_store(str(out)), Selection())


def run_revise(folder: Path, out: Path) -> None:
    revise(open_store(str(folder)), Takedown(authors=("Nobody",)), unmatched=True)


def zero(shard: Path) -> None:
    shard.write_bytes(b"")


def foreign(shard: Path) -> None:
    pq.write_table(pa.table({"sample_id": ["a"], "price": [3.5]}), shard)


def flipped(shard: Path) -> None:
    """A bit in the ids, which every command reads."""
    metadata = pq.read_metadata(shard)
    ids = metadata.row_group(0).column(0)
    assert ids.path_in_schema == "sample_id"
    data = bytearray(shard.read_bytes())
    data[(ids.dictionary_page_offset or ids.data_page_offset) + ids.total_compressed_size - 3] ^= 1
    shard.write_bytes(data)


@pytest.fixture
def folder(units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    put(make_build(), units[:3], folder)
    return folder


@pytest.mark.parametrize("damage", [zero, foreign, flipped])
@pytest.mark.parametrize("command", [run_export, run_subset, run_revise])
def test_a_damaged_shard_stops_the_command_by_name(
    command: Command, damage: Callable[[Path], None], folder: Path, tmp_path: Path
) -> None:
    shard = folder / manifest_of(folder).shards[-1].path
    damage(shard)
    before = {path: (folder / path).stat().st_size for path in files(folder)}
    with pytest.raises((MachineError, ConfigError)) as caught:
        command(folder, tmp_path / "out")
    wanted = "without a whole dataset" if command is run_revise and damage is not flipped else shard.name
    assert wanted in str(caught.value)
    assert {path: (folder / path).stat().st_size for path in files(folder)} == before
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path / "out").glob("*.tar"))


@pytest.mark.parametrize("command", [run_export, run_subset, run_revise])
def test_a_foreign_file_beside_the_shards_is_neither_read_nor_touched(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    stranger = folder / "data/train/prices.parquet"
    foreign(stranger)
    before = stranger.read_bytes()
    command(folder, tmp_path / "out")
    assert stranger.read_bytes() == before


@pytest.mark.parametrize("name", ["format-1", "format-2"])
def test_an_older_format_is_exported_and_neither_cut_nor_revised(name: str, tmp_path: Path) -> None:
    old = unpacked(name, tmp_path)
    run_export(old, tmp_path / "tars")
    assert list((tmp_path / "tars").glob("train-*.tar"))
    for command in (run_subset, run_revise):
        with pytest.raises(ConfigError, match="publish it anew with `geoscribe build`"):
            command(old, tmp_path / "out")


def test_a_taken_down_picture_is_not_kept_alive_by_a_shard_left_over(
    folder: Path, units: list[FinishedUnit], make_build: Callable[..., Build]
) -> None:
    """A shard that a killed publish left holds it too: it goes with the rest, if nobody else can be at work."""
    victim = samples(folder, manifest_of(folder))[0]
    put(make_build(shard_mb=0.02), units[:3], folder)  # the former shards are those of the kept older revision now
    revise(open_store(str(folder)), Takedown(source_ids=(victim.street_view.source_id,)))
    for shard in folder.rglob("*.parquet"):
        assert victim.sample_id not in repr(pq.read_table(shard).to_pylist())
