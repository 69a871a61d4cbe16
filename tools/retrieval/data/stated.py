"""Reads what datasets declare about themselves: the size of their chips, overlaps, and thinned galleries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.geo.overlaps import Overlaps, from_lists
from pipeline.publishing.tables import SAMPLES
from tools.dataset import Dataset

_COMPARED = ("gsd_m", "size_px", "map_scale", "orientation")
_COLUMNS = ("sample_id", "split", "overlaps", "thinned")


@dataclass(frozen=True)
class Stated:
    """The rows of the index tables for some samples."""

    overlaps: Overlaps
    thin: NDArray[np.bool_] | None
    """Which samples are in the thinned galleries of their splits; None if some are of `train`, which has none."""


def stated(ids: Sequence[str], distractors: NDArray[np.bool_], datasets: Sequence[Dataset]) -> Stated | None:
    """Read overlaps and thinned galleries of some samples; None if a dataset (format 1 or 2) does not declare them.

    Args:
        ids: of samples, and of distractors, which are in no table: their chips share at most a quarter of their area
            with any other.
        distractors: which of `ids` are those.
        datasets: where they are from.

    Raises:
        MachineError: a sample is in no table.
    """
    tables = [_read(dataset) for dataset in datasets]
    whole = [table for table in tables if table is not None]
    if len(whole) < len(tables):
        return None
    table = pa.concat_tables(whole)
    place = {sample_id: at for at, sample_id in enumerate(table["sample_id"].to_pylist())}
    absent = [
        sample_id for sample_id, alone in zip(ids, distractors, strict=True) if not alone and sample_id not in place
    ]
    if absent:
        raise MachineError(
            f"{len(absent)} samples, such as {absent[0]}, are in no {SAMPLES.file} of "
            f"{', '.join(dataset.store.url for dataset in datasets)}: run `geoscribe verify`"
        )
    rows = table.take(pa.array([place.get(sample_id) for sample_id in ids], pa.int64()))
    row = {sample_id: at for at, sample_id in enumerate(ids)}
    found = [
        (
            np.array([row.get(other["sample_id"], -1) for other in others], dtype=np.int64),
            np.array([other["share"] for other in others], dtype=np.float64),
        )
        for others in (listed or [] for listed in rows["overlaps"].to_pylist())
    ]
    thin = None if "train" in rows["split"].to_pylist() else np.array(rows["thinned"].to_pylist(), dtype=np.bool_)
    return Stated(from_lists(found), thin)


def _read(dataset: Dataset) -> pa.Table | None:
    path = next((file.path for file in dataset.manifest.files if file.path.endswith(f"/{SAMPLES.file}")), None)
    if path is None:
        return None
    with dataset.store.reader(path) as source:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        return file.read(columns=list(_COLUMNS)) if set(_COLUMNS) <= set(file.schema_arrow.names) else None


def same_chips(datasets: Sequence[Dataset]) -> None:
    """Check that the chips of all datasets have one size and scale.

    Raises:
        ConfigError: those of one are not as the first one's.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if chips_of(other) != chips_of(first):
            found = ", ".join(f"{dataset.store.url} with {_told(chips_of(dataset))}" for dataset in (first, other))
            raise ConfigError(
                [Problem("datasets", found, "datasets with chips of one size, scale, orientation and kind of map")]
            )


def chips_of(dataset: Dataset) -> dict[str, Any]:
    """Size, scale and orientation of a dataset's chips; empty where its manifest does not tell."""
    imagery = dataset.manifest.config.get("imagery")
    section = imagery.get("chips") if isinstance(imagery, dict) else None
    if not isinstance(section, dict):
        return {}
    # Datasets of earlier versions do not name the orientation.
    return {key: section.get(key, "north-up" if key == "orientation" else None) for key in _COMPARED}


def _told(chips: Mapping[str, Any]) -> str:
    if not chips:
        return "chips of unknown size"
    kind = f"map scale {chips['map_scale']}, {chips['orientation']}"
    return f"chips of {chips['size_px']} px at {chips['gsd_m']} m, {kind}"
