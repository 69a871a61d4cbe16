"""Whether the stages of a build are busy at the same time: `python -m tools.dev.bench.overlap [SITES]`.

600 sites in units of 2 and 3, and a model server (`model_room`) that takes 2 s a turn and has room for 64. Imagery is
a source that takes 50 ms a site and gives drawn pictures, cues are made up; captions, dialogue, units, layers and
scheduler are the real ones. It prints how much of the server's room was used, and a table: the share of each stage's
room that was in use, and the build's wall time over the time for which the busiest stage was in use.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.scheduler import scheduler_of
from pipeline.registry.registry import registry_of
from pipeline.stages import STAGES
from schemas.records import Cue, CueRow, ImageryRow, Position, Site
from tools.dev.bench.captioning import place
from tools.dev.bench.engine import install_null_stages, null_regions
from tools.dev.bench.model_room import NAME, Recorded, serving

ROOM, TURN_S, FETCH_S = 64, 2.0, 0.05
PER_UNIT = (2, 3)


def main(sites: int) -> None:
    install_null_stages(captions=False)
    pipeline.stages.imagery.imagery = _imagery  # type: ignore[assignment]
    pipeline.stages.cues.cues = _cues  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder, serving(ROOM, TURN_S) as server:
        build = _build(Path(folder), server.url, sites)
        memory = Memory()
        with memory:
            started = time.perf_counter()
            outcome = run_build(build, stages=[stage.name for stage in STAGES])
            wall = time.perf_counter() - started
    units = outcome.made["captions"]
    print(f"{outcome.sites} sites in {units} units, {outcome.counts['captions'].ok} described, {wall:.0f} s")
    print(f"memory: {memory.most / 1e6:.0f} MB at most")
    _report(build, server, wall)


def _report(build: Build, server: Recorded, wall: float) -> None:
    used, asked_s = server.used(ROOM)
    whole, _ = server.used(ROOM, cut=0.0)
    print(
        f"model server: {used:.1%} of its room for {ROOM} used from 5 % to 95 % of {asked_s:.0f} s; {whole:.1%} in all"
    )
    busy = {name: queue.busy_s for name, queue in scheduler_of(registry_of(build), build.limits.workers).queues.items()}
    print(f"{'stage':<12}{'busy s':>8}{'share':>8}")
    for name, seconds in [*busy.items(), ("the server", whole * asked_s)]:
        print(f"{name:<12}{seconds:>8.1f}{seconds / wall:>8.1%}")
    busiest = max(busy, key=lambda name: busy[name])
    print(f"wall over the busiest stage ({busiest}): {wall / busy[busiest]:.3f}")


class Memory:
    """The most memory that this process holds, looked at ten times a second."""

    def __init__(self) -> None:
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._ended.wait(0.1):
            self.most = max(self.most, process.memory_info().rss)


def _build(folder: Path, url: str, sites: int) -> Build:
    cells = sites // sum(PER_UNIT)
    regions = [region for per_unit in PER_UNIT for region in null_regions(1, cells, per_unit)]
    world = {"null": {"type": "world"}}
    captioner = {"engine": "dialogue", "model": NAME, "endpoints": [url], "at_once": ROOM}
    raw = {
        "name": "overlap",
        "workspace": "workspace",
        "dataset": "dataset",
        "regions": regions,
        "sources": {"street": world, "map": world},
        "sampling": {"spacing_m": 5, "unit_resolution": 9},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
        "imagery": {"anonymiser": "none"},
        "captioner": captioner | {"view_pixels": 50_176, "chip_pixels": 12_544},
    }
    return parse_build(raw, base=folder)


def _imagery(sites: Sequence[Site], *_: Any) -> list[ImageryRow]:
    rows = []
    for n, site in enumerate(sites):
        time.sleep(FETCH_S)
        rows.append(place(n).site.model_copy(update=site.model_dump()))
    return rows


def _cues(sites: Sequence[ImageryRow], _registry: Any) -> list[CueRow]:
    given: dict[str, Any] = {"status": "ok", "reason": None, "detail": None}
    return [CueRow(site_id=site.site_id, **given, cues=[_cue(n) for n in range(len(_THINGS))]) for site in sites]


_THINGS = ("bench", "tree", "lamp post", "brick wall", "car park", "bus stop")


def _cue(number: int) -> Cue:
    empty: dict[str, Any] = dict.fromkeys(name for name, field in Cue.model_fields.items() if field.is_required())
    seen: dict[str, Any] = {
        "cue_id": f"o{number}", "kind": "object", "label": _THINGS[number], "position": list(Position)[number % 5],
        "depth": "near", "confidence": 0.9, "source": "made up", "view_id": "0", "lasting": True,
        "polygon": [10.0, 10.0, 200.0, 10.0, 200.0, 200.0], "area_share": 0.05,
    }  # fmt: skip
    return Cue(**empty | seen)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
