"""Measures the engine itself: null stages over many units, and looking at a workspace of a million sites.

    python -m tools.dev.bench.engine              everything
    python -m tools.dev.bench.engine overhead     2,000 units through three stages that do nothing
    python -m tools.dev.bench.engine workspace    `status` and a no-op `build` on 16,000 units, 1.03 million sites

Sources, engines and stages are replaced by ones that do nothing; units, layers, graph and storage are the real ones.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h3

import pipeline.stages.captions
import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config import names
from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.engine.build import prepare, run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import LayerFile, commit, list_layers
from pipeline.engine.publication import publish_fingerprint
from pipeline.engine.workspace import read_state
from pipeline.geo.point import Point
from pipeline.publishing.manifest import PATH, Counts, Manifest
from pipeline.publishing.takedown import Takedown
from pipeline.sources.base import Photo
from pipeline.stages import STAGES
from schemas.records import CaptionRow, CueRow, ImageryRow, LayerRow, Site

RESOLUTION = 9


class NullSource:
    """A street and map source that has photos at the centres of H3 cells and nothing else."""

    synthetic = True

    def __init__(self, name: str, _config: WorldStreet, _regions: object) -> None:
        self.name = name

    def fingerprint(self) -> str:
        """Never changes."""
        return "null"

    def candidates(self, region: Region) -> Iterator[Photo]:
        """One photo a cell, around the region's middle; the name says how many cells and photos a cell."""
        _, cells, per_cell = region.name.split("-")
        middle = h3.latlng_to_cell(*region.middle(), RESOLUTION)
        disk = sorted(h3.grid_disk(middle, int((int(cells) / 3) ** 0.5) + 1))[: int(cells)]
        for cell in disk:
            lat, lon = h3.cell_to_latlng(cell)
            for n in range(int(per_cell)):
                where = Point(lat + n % 8 * 1e-4, lon + n // 8 * 1e-4)
                yield Photo(f"{cell}{n}", where, 0.0, 90.0, "perspective", None, "nobody", "CC0-1.0", "none")


def null_rows(record: type[LayerRow], sites: Sequence[Any]) -> list[Any]:
    """A row a site that says ok and holds nothing."""
    empty: dict[str, Any] = {"status": "ok", "reason": None, "detail": None}
    if record is ImageryRow:
        places = [site.model_dump(include=set(Site.model_fields)) for site in sites]
        return [ImageryRow(**p, **empty, views=[], aerial=None, map=None, facts=[], missing=[]) for p in places]
    if record is CueRow:
        return [CueRow(site_id=site.site_id, **empty, cues=[]) for site in sites]
    said = {"language": "en", "long": "x", "short": "x", "long_tokens": 1, "short_tokens": 1, "sentences": []}
    said |= {"captioner": "null", "prompt_set": "null", "model": None}
    return [CaptionRow(site_id=site.site_id, **empty, **said) for site in sites]


def install_null_stages(*, captions: bool = True) -> None:
    """Put the null sources and stages in the place of the real ones, in this process."""
    names.STREET["world"] = names.MAP["world"] = "tools.dev.bench.engine:NullSource"
    nulls: list[tuple[Any, str, Callable[..., list[Any]]]] = [
        (pipeline.stages.imagery, "imagery", lambda sites, *_: null_rows(ImageryRow, list(sites))),
        (pipeline.stages.cues, "cues", lambda sites, _: null_rows(CueRow, sites)),
        (pipeline.stages.captions, "captions", lambda _, cues, *__: null_rows(CaptionRow, cues)),
    ]
    for module, name, stage in nulls if captions else nulls[:-1]:
        setattr(module, name, stage)


def null_regions(regions: int, cells: int, per_cell: int) -> list[dict[str, Any]]:
    """Regions with so many units, each of so many sites."""
    return [
        {
            "name": f"r{n:03}-{cells}-{per_cell}",
            "centre": [n % 15 * 8 - 60.0, n // 15 * 20 - 150.0],
            "radius_m": 50_000,
        }
        for n in range(regions)
    ]


def null_build(folder: Path, regions: int, cells: int, per_cell: int) -> Build:
    """A build of null regions."""
    return parse_build(
        {
            "name": "bench",
            "workspace": "workspace",
            "dataset": "dataset",
            "regions": null_regions(regions, cells, per_cell),
            "sources": {"street": {"null": {"type": "world"}}, "map": {"null": {"type": "world"}}},
            "sampling": {"spacing_m": 5, "unit_resolution": RESOLUTION},
            "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
            "imagery": {"anonymiser": "none"},
        },
        base=folder,
    )


def overhead(units: int = 2_000) -> None:
    """Seconds a unit of three null stages, commits included."""
    install_null_stages()
    with tempfile.TemporaryDirectory() as folder:
        build = null_build(Path(folder), 1, units, 1)
        started, cpu = time.perf_counter(), time.process_time()
        run_build(build, stages=[stage.name for stage in STAGES])
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"engine, {units} units, 3 null stages: {1000 * wall / units:.1f} ms, {1000 * cpu / units:.1f} ms CPU a unit")


def simulate(folder: Path, regions: int, cells: int, per_cell: int) -> None:
    """Fill a workspace as a finished build would: real names, tables that hold null rows."""
    install_null_stages()
    ready = prepare(null_build(folder, regions, cells, per_cell))
    sites = [Site(site_id=str(n), region="r", unit="u", lat=0, lon=0, weight=1) for n in range(per_cell)]
    contents: dict[str, str] = {}
    tables: dict[str, bytes] = {}
    for stage in STAGES:
        file = commit(ready.store, stage.name, "r", "u", "abc", stage.record, null_rows(stage.record, sites))
        contents[stage.name], tables[stage.name] = file.content, ready.store.read(file.path)
        ready.store.delete(file.path)
    for task in ready.survey(list_layers(ready.store)):
        for stage in STAGES:
            file = LayerFile(stage.name, task.region, task.unit, task.recipe(stage), contents[stage.name])
            task.done[stage.name] = file
            path = folder / "workspace" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tables[stage.name])
    tasks = ready.survey(list_layers(ready.store))
    nothing = Counts(
        sites=0, failed={}, excluded={}, published=0, synthetic=0, splits={}, regions={}, pictures={}, faces_blurred=0,
        absent={}, missing={}, captioners={}, languages={}, licence_classes={},
    )  # fmt: skip
    manifest = Manifest(
        name="bench", revision=1, digest="", previous=None, created_at=datetime.now(UTC), schema_fingerprint="",
        counts=nothing, shards=[], files=[],
        config={}, packages={}, embargo_m=0, min_duplicate_distance=0,
        provenance={"fingerprint": publish_fingerprint(ready.build, tasks, Takedown())},
    )  # fmt: skip
    ready.out.write(PATH, manifest.model_dump_json().encode())
    print(f"simulated workspace: {len(tasks):,} units, {sum(t.size for t in tasks):,} sites")


def workspace(regions: int = 225, cells: int = 71, per_cell: int = 64) -> None:
    """Seconds and peak memory of `status` and of a build that has nothing to do, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), regions, cells, per_cell)
        size = [str(n) for n in (regions, cells, per_cell)]
        for what in ("status", "no-op-build"):
            subprocess.run([sys.executable, "-m", "tools.dev.bench.engine", what, folder, *size], check=True)


def look(what: str, folder: Path, regions: int, cells: int, per_cell: int) -> None:
    """One look at a simulated workspace, measured."""
    install_null_stages()
    build = null_build(folder, regions, cells, per_cell)
    started = time.perf_counter()
    if what == "status":
        from pipeline.storage import open_store

        state = read_state(open_store(build.workspace))
        assert not state.damaged
        assert sum(s.units - s.done for s in state.stages) == 0
    else:
        outcome = run_build(build)
        assert not any(outcome.made.values()), outcome.made
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {wall:.1f} s, {peak:.0f} MB peak, {os.cpu_count()} cores")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["overhead"]:
            overhead()
        case ["workspace"]:
            workspace()
        case [("status" | "no-op-build") as what, folder, regions, cells, per_cell]:
            look(what, Path(folder), int(regions), int(cells), int(per_cell))
        case _:
            overhead()
            workspace()
