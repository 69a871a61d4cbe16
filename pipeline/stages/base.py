"""What a stage is: a function from one unit's rows in the layers below to its rows in a layer of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.config.build import Build, Region
from pipeline.registry.toolbox import Toolbox
from schemas.records import LayerRow, Site

RowT = TypeVar("RowT", bound=LayerRow)


@dataclass(frozen=True)
class StageInput:
    """What a stage is run on: some or all sites of one unit."""

    sites: Sequence[Site]
    """Empty for a stage that reads layers."""
    layers: Mapping[str, Sequence[LayerRow]]
    """By layer, for each layer that the stage reads: the rows of these sites, failed ones included."""
    draws: Mapping[str, int] = field(default_factory=dict)
    """By site id: how often a model is to have replied anew on it; a site that is not named was not."""

    def rows(self, record: type[RowT]) -> list[RowT]:
        """The rows of a layer that the stage reads, by the layer's record."""
        return [row for row in self.layers[record.layer] if isinstance(row, record)]


@dataclass(frozen=True)
class Stage:
    """One stage of a build. Its layer, its command line name and its counts go by `name`."""

    record: type[LayerRow]
    """Of its layer."""
    reads: tuple[type[LayerRow], ...]
    """Records of the layers that it reads; a stage that reads none starts from the sites."""
    version: int
    """Goes up when the same input gives other rows."""
    depends_on: Callable[[Build, Toolbox, Region], Sequence[object]]
    """What its tables of a region depend on beside the tables that it reads: settings and fingerprints, fit for a
    digest."""
    run: Callable[[StageInput, Toolbox], Sequence[LayerRow]]
    """One row for each site that the layers below have as ok.

    Raises:
        MachineError: nothing of this kind can be made on this machine.
        BuildStopped: the user stopped the build.
    """

    @property
    def name(self) -> str:
        """Name of the stage and of its layer."""
        return self.record.layer
