"""Open a published folder with whatever version of `datasets` runs this, in each way that trainers do.

Imports nothing of ours, so that it runs in an environment that has `datasets` alone:
python reading.py FOLDER CACHE
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
import PIL.Image

PICTURES = ("street", "panorama", "aerial", "map")


def check(folder: Path, cache: str) -> dict[str, int]:
    """Read the folder of `tests/publishing/conftest.py`; returns the number of rows by split.

    Raises:
        AssertionError: something is not as it was published.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    counts = {split: len(rows) for split, rows in loaded.items()}
    assert counts.pop("validation") == counts["val"], counts
    assert loaded["validation"]["sample_id"][:] == loaded["val"]["sample_id"][:]
    assert counts == manifest["counts"]["splits"], counts
    check_rows(loaded["train"], counts["train"])

    files = [str(folder / shard["path"]) for shard in manifest["shards"] if shard["split"] == "train"]
    check_rows(datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache), counts["train"])
    single = datasets.load_dataset("parquet", data_files=files[0], split="train", cache_dir=cache)
    check_rows(single, manifest["shards"][[s["path"] for s in manifest["shards"]].index(relative(files[0]))]["rows"])

    stream: dict[str, Any] = {"split": "train", "streaming": True, "cache_dir": cache}
    check_rows(datasets.load_dataset(str(folder), **stream), counts["train"])
    check_rows(datasets.load_dataset("parquet", data_files=files, **stream), counts["train"])

    photos = datasets.load_dataset(str(folder), "photos", split="train", cache_dir=cache)
    assert isinstance(photos[0]["street"], PIL.Image.Image)
    assert not {"map", "map_chip", "cues", "description"} & set(photos.column_names), photos.column_names
    charted = datasets.load_dataset(str(folder), "map", split="train", cache_dir=cache)
    assert charted[0]["map"].size == (64, 64)
    assert not {"street", "aerial", "other_views"} & set(charted.column_names), charted.column_names
    assert charted["sample_id"] == photos["sample_id"]

    for name, rows in (("samples", sum(counts.values())), ("attribution", 138)):
        table = datasets.load_dataset(str(folder), name, split=name, cache_dir=cache)
        assert len(table) == rows, (name, len(table))
        assert set(table["sample_id"]) == {row for split in loaded.values() for row in split["sample_id"]}
    return counts


def relative(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


def check_rows(rows: Iterable[dict[str, Any]], count: int) -> None:
    ids = [check_row(row) for row in rows]
    assert len(set(ids)) == len(ids) == count, ids


def check_row(row: dict[str, Any]) -> str:
    """A row as `datasets` gives it: site 1 has a panorama and more views, site 2 lacks the aerial chip."""
    sample_id: str = row["sample_id"]
    number = sample_id[-3:]
    lacking = {"aerial"} if number == "002" else set()
    lacking |= set() if number == "001" else {"panorama"}
    assert {name for name in PICTURES if row[name] is None} == lacking, sample_id
    assert isinstance(row["street"], PIL.Image.Image)
    assert row["street"].size == (96, 72)
    assert row["street_view"]["captured_at"] is None
    assert row["map_chip"]["captured_at"] == "2023-07-01T00:00:00Z"
    assert signature_lengths(row["street_signatures"]) == (48, 18, 32)
    assert number == "002" or signature_lengths(row["aerial_signatures"]) == (48, 18, 32)
    assert [view["image"].size for view in row["other_views"]] == [(96, 72)] * (2 if number == "001" else 0)
    assert all(view["captured_at"].startswith("2024-05-01T12:0") for view in row["other_views"])
    assert [cue["label"] for cue in row["cues"]] == ["sign", "road"]
    return sample_id


def signature_lengths(found: dict[str, list[float]]) -> tuple[int, ...]:
    return len(found["colour"]), len(found["orientation"]), len(found["spectrum"])


if __name__ == "__main__":
    sys.stdout.write(f"{datasets.__version__} {json.dumps(check(Path(sys.argv[1]), sys.argv[2]))}\n")
    sys.stdout.flush()
    os._exit(0)  # some versions abort now and then while their threads are torn down
