"""Measures publishing, against a plain copy of the same tables by as many processes.

    python -m tools.dev.bench.publishing light [ROWS] [WORKERS]   # one-pixel pictures: 1,000,000 rows, 2 workers
    python -m tools.dev.bench.publishing real [ROWS] [WORKERS]    # a build's pictures: 100,000 rows, 2 workers
    python -m tools.dev.bench.publishing cpu [ROWS]               # the same in one process, by CPU seconds: 512 rows

The units are copies of one that is built from the synthetic world, with ids and places of their own. The copy reads the
tables of a shard's units with pyarrow and writes them into files, and does nothing else. All are on one disk.
"""

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
from tools.dev.bench.revisions import CENTRE, bench_build, finished, make_layers

SITES = 64
"""Of a unit."""
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000"
    "000049454e44ae426082"
)


def bench(kind: str, rows: int, workers: int) -> None:
    shard_jobs.WORTH_BYTES = 0.0  # shards go to processes, however few they are
    with tempfile.TemporaryDirectory() as folder:
        publish_keys = {"shard_mb": 100, "row_group_mb": 16, "max_text_likeness": 1.0, "max_footprint_share": 1.0}
        build = bench_build(Path(folder), 1_280, **publish_keys)
        build = build.model_copy(update={"limits": build.limits.model_copy(update={"workers": workers})})
        store, out = open_store(build.workspace), open_store(build.dataset)
        units = list(copies(build, store, -(-rows // SITES), light=kind == "light"))
        total = sum(entry.size for stage in STAGES for entry in store.entries(stage.name))
        print(f"{len(units) * SITES:,} rows, {total / 1e6:,.0f} MB of tables, {workers} workers", flush=True)
        plain = copied(Path(build.workspace), units, total, workers)
        timed(build, units, store, out, total, plain)


def copies(build: Build, store: Store, units: int, *, light: bool) -> Iterator[list[LayerFile]]:
    """Tables of so many units: the same rows with ids and places of their own."""
    [model] = make_layers(build, 1, SITES)
    tables = [read(store, file) for file in model]
    if light:
        rows = [ImageryRow.model_validate(_light(row.model_dump())) for row in from_table(ImageryRow, tables[0])]
        tables[0] = to_table(ImageryRow, rows).replace_schema_metadata(tables[0].schema.metadata)
    for file in list_layers(store):
        if file.layer != "sites":
            store.delete(file.path)
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE, 9), int((units / 3) ** 0.5) + 1))[:units]
    for unit in disk:
        lat, lon = h3.cell_to_latlng(unit)
        ids = pa.array([f"town-{unit}-{n:03}" for n in range(SITES)])
        place = np.arange(SITES)
        own: dict[str, Any] = {
            "site_id": ids,
            "unit": pa.repeat(unit, SITES),
            "lat": pa.array(lat + place % 8 * 1e-5),
            "lon": pa.array(lon + place // 8 * 1e-5),
        }
        yield [
            commit_table(store, stage.name, "town", unit, "abc", _with(table, own), dict(table.schema.metadata))
            for stage, table in zip(STAGES, tables, strict=True)
        ]


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


def copied(workspace: Path, units: Sequence[list[LayerFile]], total: int, workers: int) -> float:
    """Copy all tables; returns MB/s."""
    shares = [units[start : start + 16] for start in range(0, len(units), 16)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(_ready, range(workers)))
        started = time.perf_counter()
        cpu = sum(pool.map(_copy, [workspace] * len(shares), shares, range(len(shares))))
        wall = time.perf_counter() - started
    print(
        f"plain copy: {wall:.1f} s, {total / 1e6 / wall:.0f} MB/s; {total / 1e6 / cpu:.0f} MB a CPU second", flush=True
    )
    return total / 1e6 / wall


def by_cpu(rows: int) -> None:
    """CPU seconds of shards and of a copy of the same tables in this process, and of hashing as often as shards are."""
    with tempfile.TemporaryDirectory() as folder:
        keys = {"shard_mb": 100, "row_group_mb": 16, "max_text_likeness": 1.0, "max_footprint_share": 1.0}
        build = bench_build(Path(folder), 1_280, **keys)
        store, out = open_store(build.workspace), open_store(build.dataset)
        files = list(copies(build, store, -(-rows // SITES), light=False))
        units = [finished(store, of) for of in files]
        total = sum(entry.size for stage in STAGES for entry in store.entries(stage.name)) / 1e6
        loads = {(unit.region, unit.unit): unit.load for unit in units}
        plan = make_plan(build, units, {"town", "above", "plan"})
        began = time.process_time()
        for task in plan.shards:
            place_shard(task, lambda part: loads[part.region, part.unit](), out)
        shards = time.process_time() - began
        copy = _copy(Path(build.workspace), files, 0)
        began = time.process_time()
        for file in (file for of in files for file in of):
            data = store.read(file.path)
            for make in (hashlib.blake2b, hashlib.sha256, hashlib.sha256):  # as read, by content, as written
                make(data).digest()
        hashing = time.process_time() - began
        print(
            f"{len(units) * SITES:,} rows, {total:,.0f} MB of tables: shards {total / shards:.0f} MB a CPU second, "
            f"{copy / shards:.2f} of the plain copy's {total / copy:.0f}; to hash the bytes three times, as shards "
            f"need, takes {hashing / shards:.0%} of the shards' time and {hashing / copy:.1f} times the copy's"
        )


def _ready(_: int) -> None:
    time.sleep(0.5)  # so that every process has one


def _copy(workspace: Path, units: list[list[LayerFile]], number: int) -> float:
    """Copy the tables of some units into a file a layer; returns CPU seconds."""
    began = time.process_time()
    for at in range(len(STAGES)):
        target = workspace / f"copy-{number}-{at}.parquet"
        with pq.ParquetWriter(target, pq.read_schema(workspace / units[0][at].path), compression="zstd") as writer:
            for files in units:
                writer.write_table(pq.read_table(workspace / files[at].path))
        target.unlink()
    return time.process_time() - began


def timed(build: Build, units: list[list[LayerFile]], store: Store, out: Store, total: int, plain: float) -> None:
    """Publish, then change a unit and publish again."""
    all_units = [finished(store, files) for files in units]
    files = {("town", one.unit): tuple(of) for one, of in zip(all_units, units, strict=True)}
    sizes = {("town", one.unit): one.size for one in all_units}
    making = [0.0]

    def make(tasks: Sequence[ShardTask]) -> Any:
        started = time.perf_counter()
        made = make_shards(tasks, files, sizes, advance, store, out)
        making[0] = time.perf_counter() - started
        return made

    def advance(jobs: Sequence[ShardJob]) -> None:
        run_local(jobs, [], build)

    def put(what: str) -> None:
        started = time.perf_counter()
        of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        done = publish(build, all_units, out, synthetic={"town", "above", "plan"}, provenance={}, make=make)
        wall = time.perf_counter() - started
        now = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own, others = (b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(of, now, strict=True))
        print(
            f"{what}: {wall:.1f} s, of these {making[0]:.1f} s for {done.made} of {len(done.shards)} shards; "
            f"CPU: driver {own:.1f} s, processes {others:.1f} s; "
            f"peak memory: driver {now[0].ru_maxrss / 1024:.0f} MB, largest process {now[1].ru_maxrss / 1024:.0f} MB",
            flush=True,
        )
        if done.made == len(done.shards):
            rate = total / 1e6 / making[0]
            print(f"shards: {rate:.0f} MB/s, {rate / plain:.2f} of the plain copy's", flush=True)

    put("first publish")
    of = units[len(units) // 2]
    table = read(store, of[0])
    heavier = table.set_column(table.column_names.index("weight"), table.schema.field("weight"), pa.repeat(2.0, SITES))
    again = commit_table(store, of[0].layer, "town", of[0].unit, "abc", heavier, dict(table.schema.metadata))
    files["town", of[0].unit] = (again, *of[1:])
    all_units[len(units) // 2] = finished(store, [again, *of[1:]])
    put("revision that changes one unit")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [("light" | "real") as which, *numbers]:
            rows, workers = [*map(int, numbers), *([1_000_000 if which == "light" else 100_000, 2][len(numbers) :])][:2]
            bench(which, rows, workers)
        case ["cpu", *numbers]:
            by_cpu(*(map(int, numbers) if numbers else [512]))
        case _:
            sys.exit(__doc__)
