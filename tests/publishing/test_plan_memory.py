"""What a publish keeps in memory of each site: its plan, the revision before, and neighbours."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.publishing.gallery import with_neighbours
from pipeline.publishing.manifest import FileEntry, Manifest
from pipeline.publishing.selection import read_sites
from pipeline.publishing.split_file import published_before, remembered
from pipeline.publishing.units import CONTROLS, INDEX_SCHEMA, FinishedUnit
from pipeline.storage import open_store

UNITS, SITES = 80, 50


def index(unit: int) -> pa.Table:
    """The index of a unit with a photo of its own at each site, and the controls of a verifier."""
    rows = [
        {
            "site_id": f"north-8928308280fffff-{unit:05}-{number:03}",
            "lat": 52.0,
            "lon": 13.0,
            "distractor": False,
            "phash": f"{unit * SITES + number:016x}",
            "aerial_phash": f"{unit * SITES + number:016x}",
            "sequences": [f"panoramax {unit:032x}"],
            "photos": [f"panoramax {unit * SITES + number:032x}"],
            "text": (unit * SITES + number).to_bytes(4) * 64,
            "texts": [f"{unit * SITES + number:064x}"] * 3,
            "controls": list(range(len(CONTROLS))),
        }
        for number in range(SITES)
    ]
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)


def test_a_site_takes_few_bytes() -> None:
    """A million sites are to fit into a gigabyte, with what Python and what Arrow allocates."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(52.3, 13.4, 9), 5))[:UNITS]
    units = [unit_of(cell, number) for number, cell in enumerate(cells)]
    read_sites(units[:2])
    gc.collect()
    of_arrow = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        found = read_sites(units)
        gc.collect()
        of_python = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    sites = found[0]
    assert len(sites.ids) == UNITS * SITES
    assert of_python < 250 * UNITS * SITES
    assert pa.total_allocated_bytes() - of_arrow < 450 * UNITS * SITES


def test_a_sample_of_the_revision_before_takes_few_bytes(tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "samples.parquet", next(shards(1)).schema) as writer:
        for table in shards(UNITS):
            writer.write_table(table)
    listed: dict[str, Any] = {"files": [FileEntry(path="./samples.parquet", bytes=1, sha256="")], "shards": []}
    before = Manifest.model_construct(**listed)
    out = open_store(str(tmp_path))
    remembered(None, published_before(out, before), None)  # code is read by then
    of_arrow = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        samples = published_before(out, before)
        kept = remembered(None, samples, None)
        of_python = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert (len(samples), len(kept.units)) == (UNITS * SITES, UNITS)
    assert of_python < 50 * UNITS * SITES
    assert pa.total_allocated_bytes() - of_arrow < 100 * UNITS * SITES


def test_neighbours_of_more_samples_take_little_more_memory() -> None:
    """Each chip overlaps those of all sites of its unit."""
    with_most(UNITS // 4)
    few, many = with_most(UNITS // 2), with_most(UNITS)
    assert many - few < 400 * UNITS // 2 * SITES


def with_most(units: int) -> int:
    """The most bytes that Python and Arrow have allocated whenever a shard's rows are there."""
    gc.collect()
    of_arrow, most = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    try:
        for table in with_neighbours(shards(units), 200.0, {"north": "EU"}):
            assert len(table["overlaps"][0]) == SITES - 1
            most = max(most, pa.total_allocated_bytes() - of_arrow)
        return most + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def shards(units: int) -> Iterator[pa.Table]:
    """Rows of the index without neighbours, a table for each unit: all of a split that is thinned."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(52.3, 13.4, 8), 5))
    for cell in cells[:units]:
        lat, lon = h3.cell_to_latlng(cell)
        texts = {"split": "test_seen", "region": "north", "unit": cell, "licence": "CC-BY-SA-4.0", "shard": cell * 6}
        yield pa.table(
            {
                "sample_id": [f"north-{cell}-{number:03}" for number in range(SITES)],
                "lat": np.full(SITES, lat),
                "lon": lon + np.arange(SITES) * 1e-5,
                **{name: pa.repeat(text, SITES) for name, text in texts.items()},
            }
        )


def unit_of(cell: str, number: int) -> FinishedUnit:
    """A unit of which only the index is read."""

    def load() -> None:
        raise AssertionError("the plan reads no tables")

    return FinishedUnit("north", cell, "", 1, SITES, load, lambda: index(number), load)  # type: ignore[arg-type]
