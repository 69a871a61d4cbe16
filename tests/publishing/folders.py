"""A published folder as its readers see it, and as it lies on disk."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.config.build import Build
from pipeline.publishing.layout import columns, writer_options
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import Store, open_store
from schemas.arrow import from_table
from schemas.records import Sample

SMALL = {"shard_mb": 0.08, "row_group_mb": 0.03}
ROOT = {"CITATION.cff", "README.md", "croissant.json", "manifest.json"}
"""The files that a revision replaces."""
Rows = dict[str, list[str]]
"""Ids by split."""
Row = dict[str, Any]


def put(build: Build, units: list[FinishedUnit], folder: Path, synthetic: set[str] | None = None) -> Manifest:
    publish(build, units, open_store(str(folder)), synthetic=synthetic or set(), provenance={"code": "abc"})
    return manifest_of(folder)


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_bytes())


def files(folder: Path) -> set[str]:
    """Paths of all files but temporary ones."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith(".tmp/")}


def tree(folder: Path) -> dict[str, str]:
    """Digest of each file; manifests without their time and number."""
    return {path: _digest(path, (folder / path).read_bytes()) for path in files(folder)}


def listed(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that the manifest lists, taken of the file."""
    paths = [entry.path for entry in manifest_of(folder).listed]
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}


def _digest(path: str, data: bytes) -> str:
    if path.endswith("manifest.json"):
        content = json.loads(data)
        data = json.dumps(
            {k: v for k, v in content.items() if k not in ("created_at", "revision", "previous")}
        ).encode()
    return hashlib.sha256(data).hexdigest()


def samples(folder: Path, manifest: Manifest) -> list[Sample]:
    return [s for shard in manifest.shards for s in from_table(Sample, pq.read_table(folder / shard.path))]


def seen_by_manifest(store: Store) -> tuple[Rows, Rows]:
    """What a reader finds who trusts the manifest alone: the ids in the shards, and those in the index table."""
    listed = Manifest.model_validate_json(store.read("manifest.json"))
    for entry in listed.listed:
        data = store.read(entry.path)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256), entry.path
    index = next(entry.path for entry in listed.files if entry.path.endswith("/samples.parquet"))
    return _rows(store, [shard.path for shard in listed.shards]), _rows(store, [index])


def seen_by_card(store: Store) -> tuple[Rows, Rows]:
    """What a reader finds who trusts the card's YAML header alone, as `datasets` does; see `seen_by_manifest`."""
    header = yaml.load(store.read("README.md").decode().split("---\n")[1], yaml.CSafeLoader)
    configs = {config["config_name"]: config["data_files"] for config in header["configs"]}
    (index,) = configs["samples"]
    named = {files["split"]: files["path"] for files in configs["default"]}
    said = {split["name"]: split["num_examples"] for split in header["dataset_info"]["splits"]}
    assert (named.pop("validation", None), said.pop("validation", None)) == (named.get("val"), said.get("val"))
    shards = _rows(store, [path for paths in named.values() for path in paths])
    assert said == {split: len(ids) for split, ids in shards.items()}
    return shards, _rows(store, [index["path"]])


def _rows(store: Store, paths: list[str]) -> Rows:
    found: Rows = {}
    for path in paths:
        with store.reader(path) as file:
            table: Any = pq.read_table(file, columns=["split", "sample_id"], page_checksum_verification=True)
        for row in table.to_pylist():
            found.setdefault(row["split"], []).append(row["sample_id"])
    return {split: sorted(ids) for split, ids in sorted(found.items())}


def shard_of(folder: Path, split: str = "train") -> str:
    return next(s.path for s in manifest_of(folder).shards if s.split == split)


def rewrite(folder: Path, path: str, change: Callable[[list[Row]], None]) -> None:
    """Change rows of a shard as somebody would who knows Parquet but not the manifest."""
    metadata = pq.read_schema(folder / path).metadata
    rows = pq.read_table(folder / path).to_pylist()
    change(rows)
    table = pa.Table.from_pylist(rows, schema=columns().with_metadata(metadata))
    pq.write_table(table, folder / path, **writer_options(len(rows)))
