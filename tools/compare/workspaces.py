"""Compares the layers of two builds, stage by stage. Units with the same content are not read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.engine.layers import DamagedLayerError, LayerFile, read
from pipeline.engine.workspace import State, read_state
from pipeline.errors import MachineError
from pipeline.publishing.manifest import shareable
from pipeline.stages import STAGES
from pipeline.storage import Store
from schemas.arrow import arrow_schema
from tools.compare.rows import RowChanges, RowDigests, compare, digests
from tools.compare.settings import Pair, differing, named

_KEY = "site_id"


@dataclass(frozen=True)
class BuildDiff:
    """How two builds differ."""

    stages: dict[str, RowChanges]
    """By stage; only tables that are up to date are compared."""
    counts: dict[str, Pair]
    """By region, stage and outcome (`ok`, or a reason): numbers of sites that differ."""
    settings: dict[str, Pair]
    """By dotted key of the build file."""

    @property
    def differ(self) -> bool:
        """Whether anything differs."""
        return bool(self.counts or self.settings) or any(rows.differ for rows in self.stages.values())


def compare_builds(before: Store, after: Store) -> BuildDiff:
    """Compare the workspaces of two builds.

    Raises:
        ConfigError: one of them is no workspace.
        MachineError: a table is damaged, or newer than this version of geoscribe.
    """
    old, new = read_state(before), read_state(after)
    stages = {}
    for stage in STAGES:
        columns = [field.name for field in arrow_schema(stage.record) if field.name != _KEY]
        first, second = _files(old, stage.name), _files(new, stage.name)
        alike = {_same(file) for file in first} & {_same(file) for file in second}
        same = sum(old.counts[file].total for file in first if _same(file) in alike and file in old.counts)
        changed = [[file for file in files if _same(file) not in alike] for files in (first, second)]
        stages[stage.name] = compare(
            _rows(before, changed[0], columns), _rows(after, changed[1], columns), columns, same
        )
    return BuildDiff(stages, differing(_counts(old), _counts(new)), differing(_settings(old), _settings(new)))


def _files(state: State, stage: str) -> list[LayerFile]:
    return [task.done[stage] for task in state.tasks if stage in task.done]


def _same(file: LayerFile) -> tuple[str, str]:
    """The key that two files of one stage share if their rows are the same."""
    return file.region, file.content


def _rows(store: Store, files: Iterable[LayerFile], columns: list[str]) -> Iterator[RowDigests]:
    for file in files:
        try:
            table = read(store, file)
        except DamagedLayerError as error:
            raise MachineError(f"{store.url}: {error}. `geoscribe build` makes it again") from error
        yield from digests(table, _KEY, columns)


def _counts(state: State) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for one in state.stages:
        found.setdefault(one.region, {})[one.stage] = {"ok": one.counts.ok, **one.counts.failed}
    return found


def _settings(state: State) -> dict[str, Any]:
    settings: dict[str, Any] = dict(shareable(state.definition.build))
    return settings | {"regions": named(settings["regions"])}
