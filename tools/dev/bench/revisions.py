"""Measures a revision of a dataset, and what readers see of one whose publisher is killed.

    python -m tools.dev.bench.revisions cost [UNITS] [SITES]     # one unit changes
    python -m tools.dev.bench.revisions kills [KILLS]            # of 60 units every third changes, there and back

The units are copies of one that is built from the synthetic world, with ids and places of their own.
"""

import hashlib
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h3
import pyarrow.parquet as pq
import yaml

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import LayerFile, commit, list_layers, read, read_columns, read_rows
from pipeline.publishing.manifest import PATH, Manifest
from pipeline.publishing.publish import publish
from pipeline.publishing.takedown_match import LAYER_COLUMNS
from pipeline.publishing.units import INDEX_COLUMNS, FinishedUnit, UnitTables, unit_index
from pipeline.stages import STAGES
from pipeline.storage import Store, open_store
from schemas.records import ImageryRow
from tools.verify.verify import verify

CENTRE = (52.3, 13.4)


def bench_build(folder: Path, side_px: int, **publish: Any) -> Build:
    """A build of one region of the synthetic world."""
    world = {"type": "world", "seed": 3}
    raw = {
        "name": "bench",
        "workspace": "workspace",
        "dataset": "dataset",
        "regions": [{"name": "town", "centre": list(CENTRE), "radius_m": 150}],
        "sources": {"street": {"town": world}, "aerial": {"above": world}, "map": {"plan": world}},
        "sampling": {"spacing_m": 30, "max_sites": 16},
        "imagery": {"anonymiser": "none", "long_side_px": side_px, "chips": {"size_px": side_px // 2}},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
        # The units are copies of few places, all of one split.
        "publish": {
            "min_duplicate_distance": 0,
            "max_text_likeness": 1,
            "allow_empty": ["val", "test_seen"],
            **publish,
        },
    }
    return parse_build(raw, base=folder)


def make_layers(build: Build, units: int, sites: int) -> list[list[LayerFile]]:
    """Build one place for real, and commit tables of so many units with copies of its finished sites."""
    run_build(build, stages=[stage.name for stage in STAGES])
    store = open_store(build.workspace)
    found: dict[str, dict[str, Any]] = {stage.name: {} for stage in STAGES}
    for file in list_layers(store, *found):
        record = next(stage.record for stage in STAGES if stage.name == file.layer)
        found[file.layer].update({row.site_id: row for row in read_rows(store, file, record) if row.status == "ok"})
    whole = sorted(set.intersection(*(set(rows) for rows in found.values())))
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE, 9), int((units / 3) ** 0.5) + 1))[:units]
    return [
        [_commit(store, stage, unit, [found[stage.name][i] for i in whole], sites) for stage in STAGES] for unit in disk
    ]


def _commit(store: Store, stage: Any, unit: str, models: Sequence[Any], sites: int, weight: float = 1.0) -> LayerFile:
    lat, lon = h3.cell_to_latlng(unit)
    rows = []
    for n in range(sites):
        changes: dict[str, Any] = {"site_id": f"town-{unit}-{n:03}"}
        if stage.record is ImageryRow:
            place = {"lat": lat + n % 8 * 1e-5, "lon": lon + n // 8 * 1e-5}
            changes |= {"region": "town", "unit": unit, "weight": weight, **place}
        rows.append(models[n % len(models)].model_copy(update=changes))
    return commit(store, stage.name, "town", unit, "abc", stage.record, rows)


def changed(store: Store, files: list[LayerFile]) -> list[LayerFile]:
    """The tables of a unit after its sites got other weights."""
    imagery = STAGES[0]
    rows = read_rows(store, files[0], imagery.record)
    return [_commit(store, imagery, files[0].unit, rows, len(rows), weight=2.0), *files[1:]]


def finished(store: Store, files: list[LayerFile]) -> FinishedUnit:
    """A unit as a build hands it to publish: nothing is read before it is asked for."""
    names = [stage.name for stage in STAGES]

    def load() -> UnitTables:
        return UnitTables(**{name: read(store, file) for name, file in zip(names, files, strict=True)})

    def load_index() -> Any:
        columns = {n: read_columns(store, file, INDEX_COLUMNS[n]) for n, file in zip(names, files, strict=True)}
        return unit_index(UnitTables(**columns))

    def load_credits() -> Any:
        return read_columns(store, files[0], LAYER_COLUMNS)

    size = (Path(store.url) / files[0].path).stat().st_size
    rows = read_columns(store, files[0], ["site_id"]).num_rows
    content = digest([f.content for f in files])
    return FinishedUnit(files[0].region, files[0].unit, content, size, rows, load, load_index, load_credits)


def put(build: Build, units: Sequence[FinishedUnit]) -> str:
    """Publish, and say what it took."""
    out, before = open_store(build.dataset), _files(build)
    started, cpu = time.perf_counter(), time.process_time()
    done = publish(build, units, out, synthetic={"town", "above", "plan"}, provenance={})
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    written = sum(size for path, (size, touched) in _files(build).items() if before.get(path) != (size, touched))
    total = sum(shard.bytes for shard in done.shards)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{wall:.1f} s, {cpu:.1f} s CPU, {done.made} of {len(done.shards)} shards made, {written / 1e6:.1f} MB written "
        f"of {total / 1e6:.0f} MB, {peak:.0f} MB peak"
    )


def _files(build: Build) -> dict[str, tuple[int, int]]:
    root = Path(build.dataset)
    found = [path for path in root.rglob("*") if path.is_file() and ".tmp" not in path.parts]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def cost(units: int = 500, sites: int = 8) -> None:
    """Publish so many units, change one, and publish again."""
    with tempfile.TemporaryDirectory() as folder:
        build = bench_build(Path(folder), 1_024, shard_mb=48, row_group_mb=16)
        layers = make_layers(build, units, sites)
        store = open_store(build.workspace)
        all_units = [finished(store, files) for files in layers]
        print(f"first publish of {units} units, {units * sites} sites: {put(build, all_units)}", flush=True)
        all_units[units // 2] = finished(store, changed(store, layers[units // 2]))
        print(f"revision that changes one unit: {put(build, all_units)}", flush=True)
        print(f"the same again: {put(build, all_units)}", flush=True)


Seen = str
"""Digest of all ids and weights that a reader finds."""


def by_card(root: Path) -> Seen:
    """Read as one who goes by the card: every shard that its header names, whole."""
    header = yaml.load((root / "README.md").read_text().split("---\n")[1], yaml.CSafeLoader)
    return _seen(root, [path for entry in header["configs"][0]["data_files"] for path in entry["path"]])


def by_manifest(root: Path) -> Seen:
    """Read as one who goes by the manifest, and checks every file that it lists."""
    manifest = Manifest.model_validate_json((root / PATH).read_bytes())
    for entry in manifest.listed:
        if hashlib.sha256((root / entry.path).read_bytes()).hexdigest() != entry.sha256:
            raise ValueError(f"{entry.path} is not what the manifest says")
    return _seen(root, [shard.path for shard in manifest.shards])


def _seen(root: Path, paths: list[str]) -> Seen:
    rows: list[tuple[str, float]] = []
    for path in paths:
        table = pq.ParquetFile(root / path, page_checksum_verification=True).read()
        rows += zip(table["sample_id"].to_pylist(), table["weight"].to_pylist(), strict=True)
    return digest(sorted(rows))


class Watching(threading.Thread):
    """A reader that never stops looking, first by the one and then by the other."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root, self.done = root, threading.Event()
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        """Look until `done`."""
        while not self.done.is_set():
            for look in (by_card, by_manifest):
                try:
                    self.seen[look(self.root)] += 1
                except (OSError, ValueError) as error:
                    self.seen[f"{look.__name__}: {error}"] += 1


def kills(count: int = 100) -> None:
    """Kill publishers with SIGKILL at random moments, and tell what readers saw after each kill and all the while."""
    with tempfile.TemporaryDirectory() as folder:
        build = bench_build(Path(folder), 256, shard_mb=0.5, row_group_mb=0.1)
        layers = make_layers(build, 60, 4)
        store, root = open_store(build.workspace), Path(build.dataset)
        sides = [layers, [changed(store, files) if n % 3 == 0 else files for n, files in enumerate(layers)]]
        views = []
        for side in sides:
            put(build, [finished(store, files) for files in side])
            views.append(by_manifest(root))
        watching = Watching(root)
        watching.start()
        undisturbed = _publisher(Path(folder), sides[0])
        started = time.perf_counter()
        undisturbed.wait()
        whole = time.perf_counter() - started
        in_force, moments, found, killed = 0, random.Random(5), Counter[str](), 0
        while killed < count:
            process = _publisher(Path(folder), sides[1 - in_force])
            moment = moments.uniform(0, whole)
            time.sleep(moment)
            process.kill()
            killed += process.wait() != 0
            card, manifest = by_card(root), by_manifest(root)
            faults = verify(open_store(build.dataset))
            names = {views[in_force]: "old", views[1 - in_force]: "new"}
            state = f"{names.get(card, 'BROKEN')} by the card, {names.get(manifest, 'BROKEN')} by the manifest"
            if process.returncode:
                state = f"{state}, verify: {len(faults)} faults"
                found[state] += 1
                print(f"kill {killed} after {moment:.2f} s of {whole:.2f}: {state}", flush=True)
            if manifest == views[1 - in_force]:
                in_force = 1 - in_force
        watching.done.set()
        watching.join()
        print(f"{killed} publishers of a revision ({whole:.1f} s) killed; readers then saw:")
        for state, times in found.most_common():
            print(f"  {times:4} times {state}")
        odd = {what: n for what, n in watching.seen.items() if what not in views}
        looks, others = watching.seen.total(), sum(odd.values())
        print(f"a reader beside them looked {looks} times, and saw something else {others} times")
        for what, times in odd.items():
            print(f"  {times} times {what}")


def _publisher(folder: Path, side: list[list[LayerFile]]) -> "subprocess.Popen[str]":
    """A process that publishes; returned when it has read all code and begins."""
    paths = folder / "side.txt"
    paths.write_text("\n".join(" ".join(file.path for file in files) for files in side))
    command = [sys.executable, "-m", "tools.dev.bench.revisions", "publish", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def publish_side(folder: Path) -> None:
    """Publish the tables that are named in a file."""
    build = bench_build(folder, 256, shard_mb=0.5, row_group_mb=0.1)
    store = open_store(build.workspace)
    known = {file.path: file for file in list_layers(store)}
    lines = (folder / "side.txt").read_text().splitlines()
    units = [finished(store, [known[path] for path in line.split()]) for line in lines]
    print("begins", flush=True)
    put(build, units)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["cost", *numbers]:
            cost(*map(int, numbers))
        case ["kills", *numbers]:
            kills(*map(int, numbers))
        case ["publish", folder]:
            publish_side(Path(folder))
        case _:
            cost()
            kills()
