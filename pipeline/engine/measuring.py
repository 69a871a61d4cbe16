"""Measures what sites of a build take on this machine: CPU time and bytes by stage, on a few sites, kept in the cache.

The figures depend on settings and machine, not on sources: they hold for each build of the same engines and imagery.
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.digest import digest
from pipeline.engine import carry
from pipeline.engine.layers import commit, list_layers
from pipeline.engine.units import sample_region
from pipeline.errors import ConfigError, MachineError
from pipeline.net.client import cache_folder
from pipeline.registry.registry import Registry
from pipeline.stages import STAGES, Stage, StageInput
from pipeline.storage import open_store
from schemas.records import LayerRow, Site

SITES = 5
_VERSION = 1
_FOLDER = "measured"


@dataclass(frozen=True)
class Measured:
    """Measured costs of a site."""

    cpu_s: dict[str, float]
    """Seconds of CPU time by stage, of all threads; a stage whose work a model server does is not listed."""
    bytes: dict[str, int]
    """Bytes in the workspace, by layer."""
    sites: int
    """Number of sites that were measured."""
    machine: str

    def bytes_of(self, sites: int) -> int:
        """Bytes that so many sites take in the workspace."""
        return sites * sum(self.bytes.values())


def measure(build: Build, registry: Registry) -> Measured:
    """Run some sites of a build through the stages, after one that warms the engines up. The workspace is not touched.

    Raises:
        ConfigError: no region has sites.
        MachineError: a source or an engine cannot be used, or no site has what the later stages need.
    """
    sites = _some_sites(build, registry)
    _through(build, registry, sites[:1])
    cpu_s, rows = _through(build, registry, sites)
    if len(cpu_s) < len(_measurable(build)):
        every = [row for some in rows.values() for row in some]
        failed = sorted({f"{row.reason}: {row.detail}" for row in every if row.reason is not None})
        raise MachineError(f"none of {len(sites)} sites came through the stages ({'; '.join(failed)})")
    return Measured(cpu_s, _sizes(rows), len(sites), _machine())


def keep(build: Build, found: Measured) -> Path:
    """Keep figures in the cache folder; returns the file.

    Raises:
        MachineError: it cannot be written.
    """
    file = _file(build)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{file} cannot be written ({error}): let `network.cache` name a folder") from error
    return file


def kept(build: Build) -> Measured | None:
    """The measurement on this machine with the build's settings; None if there is none, or it cannot be read."""
    try:
        return Measured(**json.loads(_file(build).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _measurable(build: Build) -> tuple[Stage, ...]:
    """All stages but one whose work is a model server's."""
    return tuple(s for s in STAGES if s.name != "captions" or not isinstance(build.captioner, Dialogue))


def _some_sites(build: Build, registry: Registry) -> list[Site]:
    """Sites of the first region that has any, spread over it. Distractors, which end with their chips, are none."""
    empty = []
    for region in build.regions:
        try:
            sites = [site for site in sample_region(build, registry, region) if not site.distractor]
        except ConfigError as error:
            empty += error.problems
            continue
        if sites:
            return sites[:: max(1, len(sites) // SITES)][:SITES]
    raise ConfigError(empty)


def _through(
    build: Build, registry: Registry, sites: Sequence[Site]
) -> tuple[dict[str, float], dict[str, Sequence[LayerRow]]]:
    """CPU seconds a site by stage, and the rows; up to a stage that no site reaches."""
    cpu_s: dict[str, float] = {}
    rows: dict[str, Sequence[LayerRow]] = {}
    for stage in _measurable(build):
        given = _given(stage, sites, rows)
        count = len(given.sites) if not stage.reads else min(map(len, given.layers.values()))
        if not count:
            break
        began = time.process_time()
        rows[stage.name] = stage.run(given, registry)
        cpu_s[stage.name] = (time.process_time() - began) / count
    return cpu_s, rows


def _given(stage: Stage, sites: Sequence[Site], rows: Mapping[str, Sequence[LayerRow]]) -> StageInput:
    if not stage.reads:
        return StageInput(sites, {})
    below = {record.layer: carry.shown(stage, rows[record.layer]) for record in stage.reads}
    ready = carry.inputs((), below)
    return StageInput((), {layer: [row for row in some if row.site_id in ready] for layer, some in below.items()})


def _sizes(rows: Mapping[str, Sequence[LayerRow]]) -> dict[str, int]:
    """Bytes a site of each layer, as they are committed."""
    records = {stage.name: stage.record for stage in STAGES}
    with tempfile.TemporaryDirectory(prefix="geoscribe-") as folder:
        store = open_store(folder)
        for layer, some in rows.items():
            commit(store, layer, "measured", "unit", "0", records[layer], some)
        return {file.layer: size // len(rows[file.layer]) for file, size in list_layers(store).sizes.items()}


def _machine() -> str:
    return f"{platform.node()}, {os.cpu_count()} cores, {platform.machine()}"


def _file(build: Build) -> Path:
    versions = [stage.version for stage in STAGES]
    mark = digest(_VERSION, _machine(), versions, build.imagery, build.perception, build.captioner, length=16)
    return cache_folder(build.network) / _FOLDER / f"{mark}.json"
