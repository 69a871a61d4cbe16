"""Distractors: places with chips and without a text, for galleries. Which are published, in which split, in which file.

A revision has one file of them for each split, with the columns of a shard: what a distractor lacks is null.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.digest import digest
from pipeline.geo.earth import earth_centred
from pipeline.geo.overlaps import Chips, find_overlaps, thinned
from pipeline.publishing.embargo import embargoed
from pipeline.publishing.gallery import MOST_OVERLAP
from pipeline.publishing.layout import columns, published_row, shard_schema, writer_options
from pipeline.publishing.samples import chip_columns, chip_credits, class_of, point_wkb
from pipeline.publishing.shards import row_groups
from pipeline.publishing.units import FinishedUnit
from pipeline.stopping import check_stop
from schemas.arrow import from_table
from schemas.licences import strictest
from schemas.records import BBox, ImageryRow, Record, Split

FILE_NAME = r"distractors-(?P<split>[a-z_]+)\.parquet"
"""Pattern of a file's name in the revision's folder."""


def file_name(split: str) -> str:
    """Name of the file of a split's distractors."""
    return f"distractors-{split}.parquet"


def split_of_file(path: str) -> str | None:
    """The split whose distractors a file of a dataset holds; None for another file."""
    found = re.fullmatch(FILE_NAME, path.rpartition("/")[2])
    return found["split"] if found else None


@dataclass(frozen=True)
class Candidates:
    """Distractors that have a chip, as parallel arrays, in the order of region, unit and id."""

    ids: NDArray[np.object_]
    region: NDArray[np.object_]
    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    home: NDArray[np.int64]
    """Which of the ordered units."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Where the published samples are, as parallel arrays."""

    region: NDArray[np.object_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    split: NDArray[np.str_]


def place(
    them: Candidates, samples: Samples, split_of: Mapping[str, Split], side_m: float, embargo_m: float
) -> NDArray[np.str_]:
    """The split of each distractor; empty where it is left out.

    A distractor is in the split of its unit, or else in that of the nearest sample of its region. It gives way to all
    samples: it is left out where it is nearer than the embargo to one of another split, or where its chip shares more
    than a quarter of its area with the chip of a sample or of another distractor.

    Args:
        them: the distractors.
        samples: what is published.
        split_of: of the units of samples, by H3 cell.
        side_m: side of a chip on the ground.
        embargo_m: places of two splits are at least so far apart.
    """
    split = np.array([split_of.get(cell, "") for cell in them.cell.tolist()], dtype="U16")
    if not len(split):
        return split
    here, there = earth_centred(them.lat, them.lon), earth_centred(samples.lat, samples.lon)
    for region in sorted(set(them.region.tolist())):
        mine, its = np.flatnonzero((them.region == region) & (split == "")), np.flatnonzero(samples.region == region)
        if len(mine) and len(its):
            _, nearest = cKDTree(there[its]).query(here[mine])
            split[mine] = samples.split[its[nearest]]
    lat, lon = np.concatenate([samples.lat, them.lat]), np.concatenate([samples.lon, them.lon])
    first = len(samples.lat)
    published = np.arange(len(lat)) < first
    every = np.concatenate([samples.split, split])
    split[embargoed(lat, lon, every, embargo_m, published)[first:] >= 0] = ""

    chips = Chips(lat, lon, np.full(len(lat), side_m))
    close = find_overlaps(chips, MOST_OVERLAP)
    split[[bool((close.of(first + row) < first).any()) for row in range(len(split))]] = ""
    kept = np.flatnonzero(split != "")
    order = sorted(range(len(kept)), key=lambda at: digest("thin", them.ids[kept[at]]))
    apart = thinned(close.among(first + kept), np.array(order, dtype=np.int64), MOST_OVERLAP)
    split[kept[~apart]] = ""
    return split


@dataclass(frozen=True)
class Chosen:
    """The published distractors of a unit."""

    unit: FinishedUnit
    sites: tuple[str, ...]
    split: Split
    synthetic: tuple[str, ...]
    """Names of the region's sources whose pictures are drawn and not taken."""


def choose(
    them: Candidates, split: NDArray[np.str_], ordered: Sequence[FinishedUnit], synthetic: Mapping[str, tuple[str, ...]]
) -> list[Chosen]:
    """The distractors that are published, unit by unit. `synthetic` is by region."""
    sites: dict[tuple[int, Split], list[str]] = {}
    for home, name, site in zip(them.home.tolist(), split.tolist(), them.ids.tolist(), strict=True):
        if name:
            sites.setdefault((home, name), []).append(site)
    return [
        Chosen(ordered[home], tuple(ids), name, synthetic[ordered[home].region])
        for (home, name), ids in sorted(sites.items())
    ]


def write_distractors(chosen: Sequence[Chosen], path: Path, row_group_bytes: float) -> None:
    """Write the distractors of a split as a local file. One unit and one row group are in memory at a time."""
    write_rows(path, (list(_rows(one)) for one in chosen), sum(len(one.sites) for one in chosen), row_group_bytes)


def rewrite_distractors(file: Any, keep: set[str], path: Path, row_group_bytes: float) -> None:
    """Write what a file of distractors (opened for reading) has of some ids as a local file."""
    opened = pq.ParquetFile(file, page_checksum_verification=True)
    groups = (opened.read_row_group(number).to_pylist() for number in range(opened.num_row_groups))
    write_rows(path, ([row for row in rows if row["sample_id"] in keep] for rows in groups), len(keep), row_group_bytes)


def write_rows(path: Path, rows: Iterable[list[dict[str, Any]]], count: int, row_group_bytes: float) -> None:
    """Write published rows, `count` of them, as a local file of distractors."""

    def tables() -> Iterator[pa.Table]:
        for some in rows:
            check_stop()
            yield pa.Table.from_pylist(some, schema=columns())

    schema = shard_schema((-180.0, -90.0, 180.0, 90.0))
    with pq.ParquetWriter(path, schema, **writer_options(count)) as writer:
        for row_group in row_groups(tables(), row_group_bytes):
            writer.write_table(row_group, row_group_size=row_group.num_rows)


def _rows(chosen: Chosen) -> Iterator[dict[str, Any]]:
    imagery = chosen.unit.load().imagery
    wanted = imagery.filter(pc.is_in(imagery["site_id"], value_set=pa.array(chosen.sites, pa.string())))
    absent: dict[str, Any] = {field.name: [] if pa.types.is_list(field.type) else None for field in columns()}
    for site in sorted(from_table(ImageryRow, wanted), key=lambda site: site.site_id):
        shown = chip_credits(site)
        credited = [credit for views in shown.values() for credit in views]
        classes = {part: class_of(views) for part, views in shown.items()}
        yield published_row(
            absent
            | {name: _dumped(value) for name, value in chip_columns(site).items()}
            | {f"{part}_licence_class": found for part, found in classes.items()}
            | {
                "sample_id": site.site_id, "region": site.region, "unit": site.unit, "split": chosen.split,
                "lat": site.lat, "lon": site.lon, "geometry": point_wkb(site.lat, site.lon),
                "bbox": BBox(xmin=site.lon, ymin=site.lat, xmax=site.lon, ymax=site.lat).model_dump(),
                "weight": 0.0, "synthetic": any(credit.source in chosen.synthetic for credit in credited),
                "licence_class": strictest(found for found in classes.values() if found is not None),
                "redistributable": all(credit.redistributable for credit in credited),
                "missing": [{"view": one.view, "reason": one.reason} for one in site.missing],
                "description_tokens": 0, "description_short_tokens": 0, "description_street_tokens": 0,
            }
        )  # fmt: skip


def _dumped(value: Record | Sequence[Record] | None) -> Any:
    if isinstance(value, Record):
        return value.model_dump()
    return None if value is None else [one.model_dump() for one in value]
