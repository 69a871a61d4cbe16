"""Before any work: inputs checked, the dataset's place looked at, the workspace claimed, local sites drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pipeline.config.build import Build
from pipeline.engine.counts import Counts
from pipeline.engine.definition import check_copy, claim, workspace_id
from pipeline.engine.drawing import Note, RegionTask, read_note
from pipeline.engine.layers import LayerFile, Listing, list_layers, read_units
from pipeline.engine.parts import Part
from pipeline.engine.progress import SITES, Progress, StageProgress
from pipeline.engine.ready import check_captioner, check_ready
from pipeline.engine.units import UnitTask, commit_drawn, ground_of, sound_sites, stage_bases, survey
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import manifest
from pipeline.publishing.decisions import Decisions, read_decisions
from pipeline.publishing.owner import Publishing, check_place
from pipeline.publishing.takedown import takedown_of
from pipeline.regions.sampling import asked_over_network
from pipeline.registry.registry import Registry, registry_of
from pipeline.stopping import check_stop
from pipeline.storage import Store, open_store


@dataclass(frozen=True)
class Prepared:
    """A build whose inputs are checked, and whose sites are committed as far as no network is needed to draw them."""

    build: Build
    store: Store
    out: Store
    registry: Registry
    sites: list[LayerFile]
    bases: dict[str, dict[str, str]]
    undrawn: list[RegionTask]
    """Regions whose sites are to be drawn over the network."""
    workspace_id: str
    """See `pipeline.engine.definition.claim`."""
    decisions: Decisions | None = None
    """Decisions of people about an earlier revision."""
    notes: list[Note] = field(default_factory=list)
    """Why regions have no sites, once they were drawn (`drawn`)."""

    def survey(self, listing: Listing) -> list[UnitTask]:
        """The state of all units according to a listing."""
        return survey(self.store, listing, self.sites, self.bases)


def prepare(
    build: Build,
    *,
    publishing: Publishing | None = None,
    part: Part | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Prepared:
    """Check all that can be checked before any work, claim the workspace, and draw the sites that need no network.

    Args:
        build: the build.
        publishing: what publishing may do to a dataset that is there; None if nothing is to be published.
        part: the share of the units that is wanted, if others take up the rest.
        report: called once the workspace is claimed, and with the progress of drawing sites.

    Raises:
        ConfigError: an input or a place to write cannot be used, or a region has nothing to draw sites from.
        MachineError: an engine is not installed.
    """
    registry = registry_of(build)
    check_ready(build, registry)
    check_captioner(registry)
    takedown_of(build)
    decisions = read_decisions(build.publish.decisions, build.name)
    bases = {region.name: stage_bases(build, registry, region) for region in build.regions}
    store, out = open_store(build.workspace), open_store(build.dataset, where="dataset")
    if publishing is not None:
        if not publishing.take_over and out.exists(manifest.PATH):
            check_copy(store, build.dataset)
        check_place(out, build, workspace_id(store), publishing)
    ident = claim(store, build, bases, part, publishing=publishing)
    store.sweep()
    listing = list_layers(store, "sites")
    there = {r.name: sound_sites(store, listing, r, bases[r.name]["sites"]) for r in build.regions}
    apart = {
        region.name
        for region in build.regions
        if there[region.name] is None and asked_over_network(ground_of(build, registry, region))
    }
    here = [region for region in build.regions if there[region.name] is None and region.name not in apart]
    problems: list[Problem] = []
    progress = {(region.name, SITES): StageProgress(1) for region in here}
    report(progress)
    for region in here:
        check_stop()
        try:
            drawn_now = commit_drawn(build, registry, region, store, bases[region.name]["sites"])
        except ConfigError as error:
            problems += error.problems
            continue
        there[region.name] = drawn_now
        count = sum(size for size, _ in read_units(store, drawn_now).values())
        progress[region.name, SITES] = StageProgress(1, 1, Counts(count, {}))
        report(progress)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    sites = [file for file in there.values() if file is not None]
    undrawn = [RegionTask(region.name, bases[region.name]) for region in build.regions if region.name in apart]
    return Prepared(build, store, out, registry, sites, bases, undrawn, ident, decisions=decisions)


def drawn(ready: Prepared) -> Prepared:
    """The same build after its regions were drawn, with what came of each that was not before.

    A region that could not be drawn is left out; the next build draws it again.

    Raises:
        ConfigError: the sources have nothing in any of the regions.
        MachineError: no region has sites, and not all because the sources have nothing there.
    """
    if not ready.undrawn:
        return ready
    listing = list_layers(ready.store, "sites")
    recipes = {region.name: ready.bases[region.name]["sites"] for region in ready.build.regions}
    found = {name: listing.sites(name, recipe) for name, recipe in recipes.items()}
    notes = [read_note(ready.store, name, recipes[name]) for name, file in found.items() if file is None]
    sites = [file for file in found.values() if file is not None]
    if not sites:
        failed = [note.said for note in notes if not note.empty]
        raise MachineError("\n".join(failed)) if failed else ConfigError([p for note in notes for p in note.problems])
    return replace(ready, sites=sites, undrawn=[], notes=notes)
