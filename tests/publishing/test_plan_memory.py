"""What the plan of a publish keeps in memory of each site."""

import gc
import tracemalloc

import h3
import pyarrow as pa

from pipeline.publishing.selection import read_sites
from pipeline.publishing.units import CONTROLS, INDEX_SCHEMA, FinishedUnit

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


def unit_of(cell: str, number: int) -> FinishedUnit:
    """A unit of which only the index is read."""

    def load() -> None:
        raise AssertionError("the plan reads no tables")

    return FinishedUnit("north", cell, "", 1, SITES, load, lambda: index(number), load)  # type: ignore[arg-type]
