"""A stage: a function from a unit's rows in the layers below to its rows in its own layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.registry.registry import Registry
from schemas.records import LayerRow, Site

OVERLOOKED = frozenset({"aerial_scales", "drone", "missing", "considered", "weight"})
"""Fields hidden from engines and captioners: to add such a view makes no cue and no description again."""
RowT = TypeVar("RowT", bound=LayerRow)


@dataclass(frozen=True)
class Known:
    """A row of an earlier table that stays, but for some of its parts."""

    row: LayerRow
    parts: frozenset[str]
    """The parts to make anew: names of what `Stage.depends_on` gives."""


@dataclass(frozen=True)
class StageInput:
    """The input of a stage: some or all sites of one unit."""

    sites: Sequence[Site]
    """Empty for a stage that reads layers."""
    layers: Mapping[str, Sequence[LayerRow]]
    """For each layer that the stage reads: the rows of these sites."""
    draws: Mapping[str, int] = field(default_factory=dict)
    """By site id: how many times a model is to be asked again; 0 for sites that are not listed."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """By site id: rows of which only some parts are to be made. Only a stage of several parts is given any."""

    def rows(self, record: type[RowT]) -> list[RowT]:
        """The rows of a layer that the stage reads."""
        return [row for row in self.layers[record.layer] if isinstance(row, record)]


@dataclass(frozen=True)
class Stage:
    """A stage of a build. `name` names its layer, its command line option and its counts."""

    record: type[LayerRow]
    """Record of its layer."""
    reads: tuple[type[LayerRow], ...]
    """Records of the layers that it reads; a stage that reads none starts from the sites."""
    version: int
    """To be raised when the same input gives other rows."""
    depends_on: Callable[[Build, Registry, Region], Mapping[str, Sequence[object]]]
    """Inputs of its tables of a region besides the tables that it reads: settings and fingerprints, for a digest;
    by part of its rows."""
    run: Callable[[StageInput, Registry], Sequence[LayerRow]]
    """Gives one row for each site that is ok in the layers below.

    Raises:
        MachineError: something is missing on this machine.
        BuildStopped: the user stopped the build.
    """
    core: str = "rows"
    """The part on which all others rest: where it changed, rows are made anew as a whole."""
    last: str | None = None
    """The part that is made when all others are: a row that failed before does not depend on it."""
    overlooks: frozenset[str] = frozenset()
    """Fields of `ImageryRow` that it does not read, and finds empty: rows that differ in them alone are the same to
    it."""

    @property
    def name(self) -> str:
        """Name of the stage and of its layer."""
        return self.record.layer
