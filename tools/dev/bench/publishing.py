"""Measures publishing, against a plain copy of the same tables by as many processes.

    python -m tools.dev.bench.publishing light [ROWS] [WORKERS]   # one-pixel pictures: 1,000,000 rows, 2 workers
    python -m tools.dev.bench.publishing real [ROWS] [WORKERS]    # a build's pictures: 100,000 rows, 2 workers
    python -m tools.dev.bench.publishing cpu [ROWS]               # the same in one process, by CPU seconds: 512 rows
    python -m tools.dev.bench.publishing plan [ROWS]              # memory of the plan alone, light: 20,032 rows

With `--keep FOLDER` at the end, `light`, `real` and `plan` leave the tables in a folder, or take those that an earlier
run of as many rows left there: a million light ones take 20 minutes to make.

For `cpu`, set MIMALLOC_PURGE_DELAY=-1, as for the processes that make shards (`pipeline.engine.processes`).

The units are copies of one that is built from the synthetic world, with ids, places, photos and (but for `light` and
`plan`) picture files of their own, some 4,600 sites to a region. The copy reads the tables of 16 units with pyarrow and
writes them into files that are then on the disk, as shards are, and does nothing else. The driver's memory is looked at
every half second, and told once a minute, with the shards that are there by then.

There are two copies: as pyarrow writes by itself (Snappy and dictionaries for every column), and without either, as
neither makes pictures smaller.
"""

import hashlib
import os
import pickle
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.config.build import Build
from pipeline.engine import shard_jobs
from pipeline.engine.graph import run_local
from pipeline.engine.layers import LayerFile, commit_table, list_layers, read
from pipeline.engine.shard_jobs import ShardJob, make_shards
from pipeline.publishing.packing import make_plan
from pipeline.publishing.publish import place_shard, publish
from pipeline.publishing.shards import ShardTask
from pipeline.stages import STAGES
from pipeline.storage import Store, open_store
from schemas.arrow import from_table, to_table
from schemas.records import ImageryRow
from tools.dev.bench.resident import Resident, forget_peak, peak_mb, resident_mb
from tools.dev.bench.revisions import CENTRE, bench_build, finished, make_layers

SITES, UNITS = 64, 72
"""Of a unit, and of a region."""
SYNTHETIC = {"town", "above", "plan"}
"""The sources, all drawn."""
COPIES: dict[str, dict[str, Any]] = {
    "plain copy": {},
    "bare copy": {"compression": "none", "use_dictionary": False},
}
"""Arguments of `pyarrow.parquet.ParquetWriter` by the copy's name."""
LENIENT = {"max_text_likeness": 1.0, "max_footprint_share": 1.0}
"""Settings of `publish` under which copies of one unit are published. The others are as they are in the product."""
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000"
    "000049454e44ae426082"
)


def bench(kind: str, rows: int, workers: int, keep: Path | None) -> None:
    shard_jobs.WORTH_BYTES = 0.0  # shards go to processes, however few they are
    with tables_of(kind, rows, keep) as (settings, units):
        build = settings.model_copy(update={"limits": settings.limits.model_copy(update={"workers": workers})})
        store, out = open_store(build.workspace), open_store(build.dataset)
        total = sum(entry.size for stage in STAGES for entry in store.entries(stage.name))
        print(f"{len(units) * SITES:,} rows, {total / 1e6:,.0f} MB of tables, {workers} workers", flush=True)
        plain = {name: copied(Path(build.workspace), units, total, workers, name) for name in COPIES}
        timed(build, units, store, out, total, plain)


@contextmanager
def tables_of(kind: str, rows: int, keep: Path | None) -> Iterator[tuple[Build, list[list[LayerFile]]]]:
    """A build of which nothing is published, and its tables by unit: those that are kept, or new ones."""
    with tempfile.TemporaryDirectory() as passing:
        folder = (keep or Path(passing)).resolve() / f"{kind}-{rows}"
        made = folder / "tables.pickle"
        if made.exists():
            build, units = pickle.loads(made.read_bytes())
            shutil.rmtree(build.dataset, ignore_errors=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            build, units = copied_build(folder, rows, light=kind == "light")
            made.write_bytes(pickle.dumps((build, units)))
        yield build, units


def plan_memory(rows: int, keep: Path | None) -> None:
    """Resident memory before `make_plan` and after it, and the most of it meanwhile."""
    with tables_of("light", rows, keep) as (build, files):
        store = open_store(build.workspace)
        units = [finished(store, of) for of in files]
        make_plan(build, units[:8], SYNTHETIC)  # code is read by then
        before = resident_mb()
        forget_peak()
        plan = make_plan(build, units, SYNTHETIC)
        print(
            f"{len(units) * SITES:,} rows, {len(plan.shards)} shards: {before:.1f} MB before, most {peak_mb():.1f}, "
            f"{resident_mb():.1f} with the plan alone"
        )


def copied_build(folder: Path, rows: int, *, light: bool) -> tuple[Build, list[list[LayerFile]]]:
    """A build with so many rows, and its tables by unit."""
    build = bench_build(folder, 1_280, **LENIENT)
    [model] = make_layers(build, 1, SITES)
    units = -(-rows // SITES)
    [town] = build.regions
    regions = [
        town.model_copy(update={"name": f"town-{n}", "centre": (CENTRE[0], -170.0 + 1.5 * n)})
        for n in range(-(-units // UNITS))
    ]
    build = build.model_copy(update={"regions": regions})
    return build, list(copies(build, open_store(build.workspace), model, units, light=light))


def copies(
    build: Build, store: Store, model: Sequence[LayerFile], units: int, *, light: bool
) -> Iterator[list[LayerFile]]:
    """Tables of so many units: the same rows with ids, places and photos of their own."""
    tables = [read(store, file) for file in model]
    if light:
        rows = [ImageryRow.model_validate(_light(row.model_dump())) for row in from_table(ImageryRow, tables[0])]
        tables[0] = to_table(ImageryRow, rows).replace_schema_metadata(tables[0].schema.metadata)
    for file in list_layers(store):
        if file.layer != "sites":
            store.delete(file.path)
    for number in range(units):
        region = build.regions[number // UNITS]
        assert region.centre is not None
        unit = sorted(h3.grid_disk(h3.latlng_to_cell(*region.centre, 9), 5))[number % UNITS]
        lat, lon = h3.cell_to_latlng(unit)
        ids = pa.array([f"town-{unit}-{n:03}" for n in range(SITES)])
        place = np.arange(SITES)
        own: dict[str, Any] = {
            "site_id": ids,
            "region": pa.repeat(region.name, SITES),
            "unit": pa.repeat(unit, SITES),
            "lat": pa.array(lat + place % 8 * 1e-5),
            "lon": pa.array(lon + place // 8 * 1e-5),
        }
        own["views"] = _photos_of(tables[0]["views"].combine_chunks(), unit)
        if not light:
            own |= {name: _own_pictures(own.get(name, tables[0][name]), unit) for name in ("views", "aerial", "map")}
        yield [
            commit_table(store, stage.name, region.name, unit, "abc", _with(table, own), dict(table.schema.metadata))
            for stage, table in zip(STAGES, tables, strict=True)
        ]


def _photos_of(views: pa.ListArray, unit: str) -> pa.ListArray:
    """Views with photos and sequences that no other unit has."""
    values = views.values
    fields = {field.name: values.field(field.name) for field in values.type}
    for name in ("source_id", "sequence"):
        fields[name] = pc.binary_join_element_wise(unit, fields[name], "-")
    own = pa.StructArray.from_arrays(list(fields.values()), fields=list(values.type))
    return pa.ListArray.from_arrays(views.offsets, own, type=views.type)


def _own_pictures(column: pa.Array | pa.ChunkedArray, unit: str) -> pa.Array:
    """A column with pictures that no other row has, by some bytes at the end of each.

    Otherwise the copy would be spared most of its work: Parquet writes what repeats in a column once.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_list(array.type):
        return pa.ListArray.from_arrays(array.offsets, _own_pictures(array.values, unit), type=array.type)
    if not pa.types.is_struct(array.type):
        return array
    parts = {field.name: _own_pictures(array.field(field.name), unit) for field in array.type}
    if "bytes" in parts:
        marks = pa.array([f"{unit}-{n}".encode() for n in range(len(array))])
        parts["bytes"] = pc.binary_join_element_wise(parts["bytes"], marks, b"")
    return pa.StructArray.from_arrays(list(parts.values()), fields=list(array.type), mask=array.is_null())


def _light(value: Any) -> Any:
    """A row's fields with a picture of one pixel in place of each."""
    if isinstance(value, dict):
        return {key: _PIXEL if key == "bytes" else _light(item) for key, item in value.items()}
    return [_light(item) for item in value] if isinstance(value, list) else value


def _with(table: pa.Table, columns: dict[str, Any]) -> pa.Table:
    for name, column in columns.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), table.schema.field(name), column)
    return table


def copied(workspace: Path, units: Sequence[list[LayerFile]], total: int, workers: int, name: str) -> float:
    """Copy all tables; returns MB/s."""
    shares = [units[start : start + 16] for start in range(0, len(units), 16)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(_ready, range(workers)))
        started = time.perf_counter()
        cpu = sum(pool.map(_copy, [workspace] * len(shares), shares, range(len(shares)), [name] * len(shares)))
        wall = time.perf_counter() - started
    print(f"{name}: {wall:.1f} s, {total / 1e6 / wall:.0f} MB/s; {total / 1e6 / cpu:.0f} MB a CPU second", flush=True)
    return total / 1e6 / wall


def by_cpu(rows: int) -> None:
    """CPU seconds of shards and of a copy of the same tables in this process, and of hashing as often as shards are.

    Each is done twice, and the second time counts: code is read by then.
    """
    with tempfile.TemporaryDirectory() as folder:
        build, files = copied_build(Path(folder), rows, light=False)
        store = open_store(build.workspace)
        units = [finished(store, of) for of in files]
        total = sum(entry.size for stage in STAGES for entry in store.entries(stage.name)) / 1e6
        loads = {(unit.region, unit.unit): unit.load for unit in units}
        plan = make_plan(build, units, SYNTHETIC)
        for out in (open_store(f"{build.dataset}-{n}") for n in range(2)):
            began = time.process_time()
            for task in plan.shards:
                place_shard(task, lambda part: loads[part.region, part.unit](), out)
            shards = time.process_time() - began
            copies_s = {name: _copy(Path(build.workspace), files, 0, name) for name in COPIES}
            began = time.process_time()
            for file in (file for of in files for file in of):
                data = store.read(file.path)
                for make in (xxhash.xxh3_128, hashlib.sha256):  # as read, as written
                    make(data).digest()
            hashing = time.process_time() - began
        beside = ", ".join(f"{cpu / shards:.2f} of the {name}'s {total / cpu:.0f}" for name, cpu in copies_s.items())
        print(
            f"{len(units) * SITES:,} rows, {total:,.0f} MB of tables: shards {total / shards:.0f} MB a CPU second, "
            f"{beside}; to hash the bytes twice, as shards need, takes {hashing / shards:.0%} of the shards' time"
        )


def _ready(_: int) -> None:
    time.sleep(0.5)  # so that every process has one


def _copy(workspace: Path, units: list[list[LayerFile]], number: int, name: str) -> float:
    """Copy the tables of some units into a file a layer; returns CPU seconds."""
    began = time.process_time()
    for at in range(len(STAGES)):
        target = workspace / f"copy-{number}-{at}.parquet"
        with pq.ParquetWriter(target, pq.read_schema(workspace / units[0][at].path), **COPIES[name]) as writer:
            for files in units:
                writer.write_table(pq.read_table(workspace / files[at].path))
        with target.open("rb") as written:
            os.fsync(written.fileno())
        target.unlink()
    return time.process_time() - began


def timed(
    build: Build, units: list[list[LayerFile]], store: Store, out: Store, total: int, plain: dict[str, float]
) -> None:
    """Publish, then change a unit and publish again."""
    all_units = [finished(store, files) for files in units]
    files = {(one.region, one.unit): tuple(of) for one, of in zip(all_units, units, strict=True)}
    sizes = {(one.region, one.unit): one.size for one in all_units}
    making, step = [0.0], ["plan"]

    def make(tasks: Sequence[ShardTask]) -> Any:
        started, step[0] = time.perf_counter(), f"{len(tasks)} shards to make"
        made = make_shards(tasks, files, sizes, advance, store, out)
        making[0], step[0] = time.perf_counter() - started, "tables"
        return made

    def told() -> str:
        return f"{step[0]}, {sum(1 for _ in out.entries('data'))} shards are there"

    def advance(jobs: Sequence[ShardJob]) -> None:
        run_local(jobs, [], build)

    def put(what: str) -> None:
        step[0] = "plan"
        seen = Resident(what, told)
        seen.start()
        started = time.perf_counter()
        of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        done = publish(build, all_units, out, synthetic=SYNTHETIC, provenance={}, make=make)
        wall = time.perf_counter() - started
        seen.stop()
        now = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own, others = (b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(of, now, strict=True))
        print(
            f"{what}: {wall:.1f} s, of these {making[0]:.1f} s for {done.made} of {len(done.shards)} shards; "
            f"CPU: driver {own:.1f} s, processes {others:.1f} s; "
            f"memory: driver by fifths of the run {seen.by_fifths()}, largest process {now[1].ru_maxrss / 1024:.0f} MB",
            flush=True,
        )
        if done.made == len(done.shards):
            rate = total / 1e6 / making[0]
            beside = ", ".join(f"{rate / copy:.2f} of the {name}'s" for name, copy in plain.items())
            print(f"shards: {rate:.0f} MB/s, {beside}", flush=True)

    put("first publish")
    of = units[len(units) // 2]
    table = read(store, of[0])
    heavier = table.set_column(table.column_names.index("weight"), table.schema.field("weight"), pa.repeat(2.0, SITES))
    again = commit_table(store, of[0].layer, of[0].region, of[0].unit, "abc", heavier, dict(table.schema.metadata))
    files[of[0].region, of[0].unit] = (again, *of[1:])
    all_units[len(units) // 2] = finished(store, [again, *of[1:]])
    put("revision that changes one unit")
    store.delete(again.path)  # kept tables stay as they were


if __name__ == "__main__":
    match sys.argv[1:]:
        case [*arguments, "--keep", folder]:
            keep: Path | None = Path(folder)
        case arguments:
            keep = None
    match arguments:
        case [("light" | "real") as which, *numbers]:
            rows, workers = [*map(int, numbers), *([1_000_000 if which == "light" else 100_000, 2][len(numbers) :])][:2]
            bench(which, rows, workers, keep)
        case ["plan", *numbers]:
            plan_memory(int(numbers[0]) if numbers else 20_032, keep)
        case ["cpu", *numbers]:
            by_cpu(*(map(int, numbers) if numbers else [512]))
        case _:
            sys.exit(__doc__)
