"""What datasets declare about themselves: the size of their chips, and which chips overlap."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import ConfigError, Problem
from pipeline.geo.overlaps import Overlaps, from_lists
from tools.dataset import Dataset

INDEX_FILE = "samples.parquet"
"""A table beside the shards, in datasets that have one."""
_NONE = (np.empty(0, np.int64), np.empty(0))


def stated_overlaps(ids: Sequence[str], datasets: Sequence[Dataset]) -> Overlaps | None:
    """Read the declared overlaps of some samples' chips; None if a dataset does not declare them.

    They stand in the column `overlaps` of `INDEX_FILE`, as lists of `sample_id` and `share`.
    """
    lists: dict[str, list[dict[str, Any]]] = {}
    for dataset in datasets:
        if all(entry.path != INDEX_FILE for entry in dataset.manifest.files):
            return None
        with dataset.store.reader(INDEX_FILE) as source:
            file = pq.ParquetFile(source)
            if "overlaps" not in file.schema_arrow.names:
                return None
            table = file.read(columns=["sample_id", "overlaps"])
        lists |= dict(zip(table["sample_id"].to_pylist(), table["overlaps"].to_pylist(), strict=True))
    row = {sample_id: at for at, sample_id in enumerate(ids)}
    stated = []
    for sample_id in ids:
        others = lists.get(sample_id) or []
        rows = np.array([row.get(other["sample_id"], -1) for other in others], dtype=np.int64)
        stated.append((rows, np.array([other["share"] for other in others], float)) if others else _NONE)
    return from_lists(stated)


def same_chips(datasets: Sequence[Dataset]) -> None:
    """Check that the chips of all datasets have one size and scale.

    Raises:
        ConfigError: those of one are not as the first one's.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if _chips(other) != _chips(first):
            found = ", ".join(f"{dataset.store.url} with {_told(_chips(dataset))}" for dataset in (first, other))
            raise ConfigError([Problem("datasets", found, "datasets with chips of one size, scale and kind of map")])


def _chips(dataset: Dataset) -> dict[str, Any]:
    imagery = dataset.manifest.config.get("imagery")
    section = imagery.get("chips") if isinstance(imagery, dict) else None
    return {key: section.get(key) for key in ("gsd_m", "size_px", "map_scale")} if isinstance(section, dict) else {}


def _told(chips: Mapping[str, Any]) -> str:
    if not chips:
        return "chips of unknown size"
    return f"chips of {chips['size_px']} px at {chips['gsd_m']} m, map scale {chips['map_scale']}"
