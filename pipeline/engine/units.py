"""Units of work: what each unit needs, what is already there, and what is left to do."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.config.build import Build, sampling_of
from pipeline.config.region import Region
from pipeline.digest import digest
from pipeline.engine.layers import DamagedLayerError, LayerFile, Listing, commit_sites, read_units
from pipeline.errors import MachineError, OutageError, SiteError
from pipeline.regions import sampling
from pipeline.regions.ground import Ground
from pipeline.registry.registry import Registry
from pipeline.stages import STAGES, Stage
from pipeline.storage import Store
from schemas.reasons import Reason
from schemas.records import Site

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnitTask:
    """A unit's state on its way through the stages: a small value that can be sent between machines."""

    region: str
    unit: str
    sites: LayerFile
    size: int
    """Number of sites."""
    sites_digest: str
    bases: dict[str, str]
    """See `stage_bases`."""
    done: dict[str, LayerFile]
    """By stage: the file that is up to date."""
    there: tuple[LayerFile, ...] = ()
    """All files of the unit, whatever their recipe. A stage whose input was made again with the same result finds its
    table among them."""
    todo: tuple[str, ...] = ()
    """Stages to run, in order."""
    retry: frozenset[str] = frozenset()
    """Reasons whose failed sites are retried in tables that are otherwise up to date."""
    missing: frozenset[str] = frozenset()
    """Views that are tried again where they are missing for a reason of `retry`; failed sites then stay as they are."""

    @property
    def key(self) -> tuple[str, str]:
        """Region and unit."""
        return self.region, self.unit

    @property
    def finished(self) -> bool:
        """Whether the tables of all stages are up to date."""
        return all(stage.name in self.done for stage in STAGES)

    def parts(self, stage: Stage) -> dict[str, str]:
        """Digests of what the parts of a stage's rows are made from, except for the tables that it reads."""
        prefix = f"{stage.name}."
        return {name.removeprefix(prefix): mark for name, mark in self.bases.items() if name.startswith(prefix)}

    def recipe(self, stage: Stage) -> str:
        """Recipe of a stage's table, given the tables that it reads."""
        below = [self.done[record.layer].content for record in stage.reads] or [self.sites_digest]
        return digest(self.bases[stage.name], below)

    def find(self, stage: Stage) -> LayerFile | None:
        """The stage's table with the wanted recipe, if present. Of several, the one whose name sorts first."""
        recipe = self.recipe(stage)
        return min((file for file in self.there if file.layer == stage.name and file.recipe == recipe), default=None)


def stage_bases(build: Build, registry: Registry, region: Region) -> dict[str, str]:
    """Digests of what a region's tables depend on besides the tables that they are made from.

    By stage, and by part of each stage's rows (`imagery.aerial`).
    """
    # The continent decides the split and nothing else; what a region has of its own counts where it is used.
    shape = region.model_dump(mode="json", exclude={"continent", "sampling", "perception", "captioner"})
    sites = digest(
        "sites", sampling.VERSION, shape, sampling_of(build, region), build.seed, *_sampled(build, registry, region)
    )
    bases = {"sites": sites}
    for stage in STAGES:
        parts = stage.depends_on(build, registry, region).items()
        marks = {f"{stage.name}.{part}": digest(part, stage.version, *made_from) for part, made_from in parts}
        bases |= {stage.name: digest(stage.name, marks), **marks}
    return bases


def _sampled(build: Build, registry: Registry, region: Region) -> list[str | float]:
    """The dependencies of a region's sites besides the sampling settings: the sources that the sampler uses."""
    settings, around = sampling_of(build, region), registry.map(region.name)
    found: list[str | float] = []
    capped = settings.max_per_sequence is not None or settings.max_per_contributor is not None
    if settings.method == "imagery" or capped:
        found.append(registry.street(region.name).fingerprint())
    if settings.method == "roads" and around is not None:
        found.append(around.fingerprint())
    if settings.method != "imagery" and capped:
        found.append(build.imagery.search_radius_m)
    return found


def ground_of(build: Build, registry: Registry, region: Region) -> Ground:
    """The data from which the sites of a region are drawn."""
    return Ground(
        region=region,
        sampling=sampling_of(build, region),
        seed=build.seed,
        street=registry.street(region.name),
        map=registry.map(region.name),
        search_radius_m=build.imagery.search_radius_m,
        where=f"regions.{build.regions.index(region)}",
    )


class NotDrawnError(MachineError):
    """A source that a region's sites are drawn from could not be reached. Other regions may still be drawn."""


def sample_region(build: Build, registry: Registry, region: Region) -> list[Site]:
    """Draw the sites of a region.

    Raises:
        ConfigError: there is nothing to draw sites from in it.
        NotDrawnError: a source that they are drawn from could not be asked, or gave what cannot be processed.
    """
    try:
        with registry.boundary(f"sampling of {region.name}", Reason.BAD_ANSWER).guard():
            return sampling.sample(ground_of(build, registry, region))
    except (SiteError, OutageError) as error:
        later = "" if isinstance(error, OutageError) else ". Start the build again when the source answers"
        raise NotDrawnError(f"the sites of region {region.name} cannot be drawn: {error}{later}") from error


def sound_sites(store: Store, listing: Listing, region: Region, recipe: str) -> LayerFile | None:
    """The region's committed sites, if they are there. A damaged file is removed."""
    found = listing.sites(region.name, recipe)
    if found is None:
        return None
    try:
        read_units(store, found)
    except DamagedLayerError as error:
        log.warning("%s; sampling %s again", error, region.name)
        store.delete(found.path)
        return None
    return found


def commit_drawn(build: Build, registry: Registry, region: Region, store: Store, recipe: str) -> LayerFile:
    """Draw and commit the sites of a region. Raises as `sample_region` does."""
    sites = sample_region(build, registry, region)
    return commit_sites(store, region.name, recipe, sites, sampling.digests_by_unit(sites))


def survey(
    store: Store, listing: Listing, sites: Iterable[LayerFile], bases: dict[str, dict[str, str]]
) -> list[UnitTask]:
    """Every unit of every region with the files that are up to date, in the order of regions and units."""
    tasks = []
    for file in sites:
        for unit, (size, mark) in read_units(store, file).items():
            there = listing.of_unit(file.region, unit)
            task = UnitTask(file.region, unit, file, size, mark, bases[file.region], {}, there)
            tasks.append(_with_done(task))
    return tasks


def _with_done(task: UnitTask) -> UnitTask:
    for stage in STAGES:
        found = task.find(stage)
        if found is None:
            break
        task.done[stage.name] = found
    return task


def with_todo(task: UnitTask, wanted: Iterable[str]) -> UnitTask:
    """The same task with its stages to run: those wanted and not up to date, up to the first gap."""
    todo = []
    for stage in STAGES:
        if stage.name in task.done:
            continue
        if stage.name not in wanted:
            break
        todo.append(stage.name)
    return replace(task, todo=tuple(todo))
