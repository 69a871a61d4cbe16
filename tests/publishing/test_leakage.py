"""Each kind of leak is planted into a sound dataset, and named with both samples."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import PIL.Image
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.config.build import Build
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.publishing.folders import Row, manifest_of, put, rewrite, shard_of
from tools.cli.main import app
from tools.verify.leakage import Kind, Leakage, find_leaks

TOLD = " ".join(f"word{n}" for n in range(60))


@pytest.fixture(scope="module")
def sound(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    put(make_build(), units, folder)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "dataset")
    return tmp_path / "dataset"


def leaks(folder: Path) -> Leakage:
    return find_leaks(open_store(str(folder)), manifest_of(folder))


def again(jpeg: bytes) -> bytes:
    """The same picture, saved anew by somebody else."""
    buffer = io.BytesIO()
    PIL.Image.open(io.BytesIO(jpeg)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def near(row: Row, other: Row) -> None:
    row.update(lat=other["lat"] + 0.0001, lon=other["lon"])


def chip_over(row: Row, other: Row) -> None:
    for name in ("west", "east"):
        row["aerial_chip"][name] = other["aerial_chip"][name] + 0.0001
    for name in ("south", "north"):
        row["aerial_chip"][name] = other["aerial_chip"][name]


def picture_of(role: str) -> Callable[[Row, Row], None]:
    return lambda row, other: row[role].update(bytes=again(other[role]["bytes"]))


PLANTS: list[tuple[Kind, Callable[[Row, Row], object]]] = [
    ("distance", near),
    ("chip", chip_over),
    ("sequence", lambda row, other: [view.update(sequence="s") for view in (row["street_view"], other["street_view"])]),
    ("photo", lambda row, other: row["street_view"].update(source_id=other["street_view"]["source_id"])),
    ("photo", lambda row, other: row["other_views"].append(other["street_view"] | {"image": other["street"]})),
    ("street picture", picture_of("street")),
    ("aerial picture", picture_of("aerial")),
    ("description", lambda row, other: row.update(description=other["description"].upper() + "!")),
    ("description", lambda row, other: [r.update(description=f"{TOLD} {r['sample_id']}") for r in (row, other)]),
]


def test_a_sound_dataset_has_no_leak(sound: Path) -> None:
    found = leaks(sound)
    assert (found.leaks, found.unread) == ([], [])
    assert dict(found.samples) == manifest_of(sound).counts.splits
    assert set(found.counts().values()) == {0}
    assert {kind for kind, _ in PLANTS} == set(get_args(Kind))


@pytest.mark.parametrize(("kind", "plant"), PLANTS)
def test_a_planted_leak_is_named(folder: Path, kind: Kind, plant: Callable[[Row, Row], object]) -> None:
    (train, test) = (shard_of(folder, split) for split in ("train", "test_seen"))
    (other,) = pq.read_table(folder / train).slice(0, 1).to_pylist()
    planted: list[Row] = []

    def change(rows: list[Row]) -> None:
        plant(rows[0], other)
        planted.append(rows[0])

    rewrite(folder, test, change)
    rewrite(folder, train, lambda rows: rows.__setitem__(0, other))
    found = leaks(folder)
    pair = {f"{other['sample_id']} (train)", f"{planted[0]['sample_id']} (test_seen)"}
    assert {leak.kind for leak in found.leaks} == {kind}
    assert pair in [{leak.first, leak.second} for leak in found.leaks]
    result = CliRunner().invoke(app, ["verify", str(folder), "--leakage"])
    assert result.exit_code == 1
    assert all(str(leak) in result.stdout for leak in found.leaks)
    assert f"{kind} {len(found.leaks)}" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("lacking", ["lat", "sample_id", "split"])
def test_a_row_that_says_not_where_it_is_is_not_taken_for_sound(folder: Path, lacking: str) -> None:
    rewrite(folder, shard_of(folder, "val"), lambda rows: rows[0].update({lacking: None}))
    found = leaks(folder)
    assert found.leaks == []
    assert len(found.unread) == 1
    assert "no id, split or position" in found.unread[0]


def test_what_cannot_be_read_is_not_taken_for_sound(folder: Path) -> None:
    train, val = (shard_of(folder, split) for split in ("train", "val"))
    (folder / train).write_bytes(b"")
    rewrite(folder, val, lambda rows: rows[0]["street"].update(bytes=b"<html>"))
    found = leaks(folder)
    assert found.leaks == []
    assert len(found.unread) == 2
    assert train in found.unread[0] or train in found.unread[1]


def test_the_command_says_that_nothing_leaks(sound: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(sound), "--leakage"])
    assert result.exit_code == 0
    assert "leakage: distance 0, chip 0, sequence 0, photo 0, street picture 0" in result.stdout
