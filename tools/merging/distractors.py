"""The distractors of several datasets in the one that they become: placed anew, among the samples of all."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.errors import MachineError
from pipeline.publishing.distractor_files import DistractorFile, rows_with, write_rows
from pipeline.publishing.distractors import Candidates, Samples, place
from pipeline.publishing.packing import chip_diagonal_m
from pipeline.publishing.rewrite import distractor_rows, in_split
from pipeline.publishing.shards import VERSION
from schemas.records import Split
from tools.dataset import Dataset
from tools.merging.choosing import Chosen

_COLUMNS = ("sample_id", "region", "unit", "lat", "lon")


@dataclass(frozen=True)
class Placed:
    """The distractors of the merged dataset."""

    parts: dict[Split, dict[tuple[int, str], set[str]]] = field(default_factory=dict)
    """For each split the ids that stay, by the number of the dataset and the path of its file."""
    left_out: int = 0
    """How many are too near to samples, or left out of a dataset before."""

    @property
    def counts(self) -> dict[str, int]:
        """For the manifest."""
        found: dict[str, int] = {split: sum(map(len, files.values())) for split, files in self.parts.items()}
        return found | ({"left_out": self.left_out} if self.left_out else {})


def place_distractors(build: Build, datasets: Sequence[Dataset], chosen: Chosen) -> Placed:
    """The split of each distractor, by the rule of publishing (`pipeline.publishing.distractors.place`).

    Args:
        build: the settings of the merged dataset.
        datasets: in order of precedence.
        chosen: where their samples are.

    Raises:
        MachineError: a file cannot be read.
    """
    them = [
        (number, path, row)
        for number, dataset in enumerate(datasets)
        for path, row in distractor_rows(dataset.store, dataset.manifest, _COLUMNS)
    ]
    before = sum(dataset.manifest.counts.distractors.get("left_out", 0) for dataset in datasets)
    if not them:
        return Placed(left_out=before)
    there = [
        row for dataset in datasets for row in dataset.rows(_COLUMNS) if row["sample_id"] in chosen.split_of
    ]  # fmt: skip
    chips = build.imagery.chips
    splits = place(
        Candidates(
            ids=_objects(row["sample_id"] for *_, row in them),
            region=_objects(row["region"] for *_, row in them),
            cell=_objects(row["unit"] for *_, row in them),
            home=np.zeros(len(them), np.int64),
            lat=np.array([row["lat"] for *_, row in them], np.float64),
            lon=np.array([row["lon"] for *_, row in them], np.float64),
        ),
        Samples(
            region=_objects(row["region"] for row in there),
            lat=np.array([row["lat"] for row in there], np.float64),
            lon=np.array([row["lon"] for row in there], np.float64),
            split=np.array([chosen.split_of[row["sample_id"]] for row in there], np.str_),
        ),
        chosen.split_of_cell,
        chips.size_px * chips.gsd_m,
        chip_diagonal_m(chips),
    )
    parts: dict[Split, dict[tuple[int, str], set[str]]] = {}
    for (number, path, row), split in zip(them, splits.tolist(), strict=True):
        if split:
            parts.setdefault(split, {}).setdefault((number, path), set()).add(row["sample_id"])
    return Placed(dict(sorted(parts.items())), before + Counter(splits.tolist())[""])


def merged_files(build: Build, datasets: Sequence[Dataset], placed: Placed) -> list[DistractorFile]:
    """The file of each split."""

    def file(split: Split, parts: Mapping[tuple[int, str], set[str]]) -> DistractorFile:
        made_from = [[datasets[n].manifest.digest, path, sorted(ids)] for (n, path), ids in parts.items()]
        row_group_bytes = build.publish.row_group_mb * 1e6

        def write(path: Path) -> None:
            rows = (some for (n, file), ids in parts.items() for some in _rows(datasets[n], file, ids, split))
            write_rows(path, rows, sum(map(len, parts.values())), row_group_bytes)

        return DistractorFile(split, digest(VERSION, "merged", split, made_from, row_group_bytes, length=16), write)

    return [file(split, parts) for split, parts in placed.parts.items()]


def _rows(dataset: Dataset, path: str, keep: set[str], split: Split) -> Iterator[pa.Table]:
    with dataset.store.reader(path) as file:
        try:
            opened = pq.ParquetFile(file, page_checksum_verification=True)
            for group in range(opened.num_row_groups):
                yield in_split(rows_with(opened.read_row_group(group), keep), split)
        except (OSError, pa.ArrowException) as error:
            raise MachineError(f"{dataset.store.url}/{path} cannot be read: {error}") from error


def _objects(values: Iterator[str]) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array(list(values), dtype=np.object_)
