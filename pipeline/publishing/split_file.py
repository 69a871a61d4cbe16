"""`splits.json` of a revision: the split of every unit and region so far, and what to leave out by continent.

It is what the next revision goes by, so that published sites keep their split. It lists units that are no longer
published as well: should they come back, they go where they were.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.config.build import Build
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.splits import RegionSplit, Remembered
from pipeline.storage import Store
from schemas.records import Continent, Split

log = logging.getLogger(__name__)

SPLIT_FILE = "splits.json"
_SAMPLES = pa.schema([(name, pa.string()) for name in ("sample_id", "unit", "split")])


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RegionEntry(_Entry):
    """A region."""

    continent: Continent | None
    held_out: bool
    """Whether all of it is in `test_unseen`."""
    block_resolution: int | None
    """H3 resolution of its blocks."""


class Fold(_Entry):
    """A fold of leave-one-continent-out: train and val rows of some regions, all rows of others."""

    left_out: Continent
    train_regions: list[str]
    test_regions: list[str]


class SplitFile(_Entry):
    """The whole file."""

    regions: dict[str, RegionEntry]
    """By name, regions of earlier revisions included."""
    leave_one_continent_out: list[Fold]
    """Folds over the regions of the build; empty if they are all on one continent."""
    units: dict[str, Split]
    """By H3 cell, units of earlier revisions included."""


def split_file(
    build: Build, split_of: Mapping[str, Split], regions: Mapping[str, RegionSplit], before: SplitFile | None
) -> SplitFile:
    """The split file of a revision."""
    continents = {region.name: region.continent for region in build.regions}
    entries = dict(before.regions) if before else {}
    entries |= {name: RegionEntry(continent=continents[name], **asdict(told)) for name, told in regions.items()}
    there = sorted({continent for continent in continents.values() if continent is not None})
    return SplitFile(
        regions=dict(sorted(entries.items())),
        leave_one_continent_out=[
            Fold(
                left_out=continent,
                train_regions=sorted(name for name, at in continents.items() if at != continent),
                test_regions=sorted(name for name, at in continents.items() if at == continent),
            )
            for continent in (there if len(there) > 1 else [])
        ],
        units=dict(sorted(split_of.items())),
    )


def read_split_file(out: Store, before: Manifest | None) -> SplitFile | None:
    """The split file of a revision; None where it has none or it cannot be read, which is logged."""
    path = next((file.path for file in before.files if file.path.endswith(f"/{SPLIT_FILE}")), None) if before else None
    if path is None:
        return None
    try:
        return SplitFile.model_validate_json(out.read(path))
    except (OSError, ValidationError) as error:
        log.warning("%s of the earlier revision cannot be read (%s); going by its samples alone", path, error)
        return None


def published_before(out: Store, before: Manifest | None) -> pa.Table:
    """Columns `sample_id`, `unit` and `split` of a revision, as far as its files can be read; what cannot is logged.

    `test` of older formats is `test_seen`.
    """
    if before is None:
        return _SAMPLES.empty_table()
    index = [file.path for file in before.files if file.path.endswith("/samples.parquet")]
    found = _samples(out, index[0]) if index else None
    if found is not None:
        return found
    tables = (_samples(out, shard.path) for shard in before.shards)
    return pa.concat_tables([_SAMPLES.empty_table(), *(table for table in tables if table is not None)])


def _samples(out: Store, path: str) -> pa.Table | None:
    """The samples in a file; None if it cannot be read."""
    try:
        with out.reader(path) as data, pq.ParquetFile(data, page_checksum_verification=True) as file:
            groups = (file.read_row_group(n, columns=_SAMPLES.names) for n in range(file.num_row_groups))
            table = pa.concat_tables([_SAMPLES.empty_table(), *(group.cast(_SAMPLES) for group in groups)])
    except (OSError, pa.ArrowException) as error:
        log.warning("%s of the earlier revision cannot be read (%s); its sites may get another split", path, error)
        return None
    split = pc.if_else(pc.equal(table["split"], "test"), "test_seen", table["split"])
    return table.set_column(table.column_names.index("split"), "split", split)


def remembered(told: SplitFile | None, samples: pa.Table, before: Manifest | None) -> Remembered:
    """The splits to keep. Regions of a revision that has no split file were all trained on."""
    units: dict[str, Split] = {}
    regions: dict[str, RegionSplit] = {}
    if told is not None:
        units |= told.units
        for name, entry in told.regions.items():
            regions[name] = RegionSplit(entry.held_out, entry.block_resolution)
    elif before is not None:
        regions |= {name: RegionSplit(False, None) for name in before.counts.regions}
    known = samples.group_by("unit", use_threads=False).aggregate([("split", "last")])
    units |= dict(zip(known["unit"].to_pylist(), known["split_last"].to_pylist(), strict=True))
    return Remembered(units, regions)
