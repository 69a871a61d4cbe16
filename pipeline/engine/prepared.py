"""Before any work: inputs checked, the dataset's place looked at, the workspace claimed, the sites drawn."""

import logging
from dataclasses import dataclass

from pipeline.config.build import Build
from pipeline.engine.definition import claim, workspace_id
from pipeline.engine.layers import LayerFile, Listing, list_layers
from pipeline.engine.parts import Part
from pipeline.engine.ready import check_ready
from pipeline.engine.units import NotDrawnError, UnitTask, ensure_sites, ground_of, stage_bases, survey
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing.owner import Publishing, check_place
from pipeline.regions.ground import NothingThereError
from pipeline.regions.sampling import asked_over_network
from pipeline.registry.toolbox import Toolbox, toolbox
from pipeline.stopping import check_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A build whose inputs are checked and whose sites are committed."""

    build: Build
    store: Store
    out: Store
    tools: Toolbox
    sites: list[LayerFile]
    bases: dict[str, dict[str, str]]
    empty: list[str]
    """Why regions have no sites, one line per region."""
    workspace_id: str
    """See `pipeline.engine.definition.claim`."""

    def survey(self, listing: Listing) -> list[UnitTask]:
        """The state of all units according to a listing."""
        return survey(self.store, listing, self.sites, self.bases)


def prepare(build: Build, *, publishing: Publishing | None = None, part: Part | None = None) -> Prepared:
    """Check all that can be checked before any work, claim the workspace, and draw the sites.

    A region without anything in a source on the network is left out; the next build tries it again.

    Args:
        build: the build.
        publishing: what publishing may do to a dataset that is there; None if nothing is to be published.
        part: the share of the units that is wanted, if others take up the rest.

    Raises:
        ConfigError: an input or a place to write cannot be used, or no region has a site.
        MachineError: an engine is not installed.
    """
    tools = toolbox(build)
    check_ready(build, tools)
    bases = {region.name: stage_bases(build, tools, region) for region in build.regions}
    store, out = open_store(build.workspace), open_store(build.dataset, where="dataset")
    if publishing is not None:
        check_place(out, build, workspace_id(store), publishing)
    ident = claim(store, build, bases, part)
    store.sweep()
    listing = list_layers(store, "sites")
    sites, empty = _all_sites(build, tools, store, listing, bases)
    return Prepared(build, store, out, tools, sites, bases, empty, ident)


def _all_sites(
    build: Build, tools: Toolbox, store: Store, listing: Listing, bases: dict[str, dict[str, str]]
) -> tuple[list[LayerFile], list[str]]:
    """The sites of all regions, and why some regions have none (`NothingThereError`).

    Regions whose sites can be drawn without a network come first, so that their errors are reported before any request
    is made.

    Raises:
        ConfigError: naming every region without sites because of a local error, or all regions if none has sites.
        MachineError: naming every region whose source could not be reached. The sites of the others are committed.
    """
    asking = {r.name: bool(asked_over_network(ground_of(build, tools, r))) for r in build.regions}
    sites: dict[str, LayerFile] = {}
    problems: list[Problem] = []
    empty: list[Problem] = []
    not_drawn: list[str] = []
    for over_network in (False, True):
        for region in (r for r in build.regions if asking[r.name] is over_network):
            check_stop()
            try:
                sites[region.name] = ensure_sites(build, tools, region, store, listing, bases[region.name]["sites"])
            except NothingThereError as error:
                empty += error.problems
                log.warning("region %s has no sites: found %s", region.name, error.problems[0].found)
            except ConfigError as error:
                problems += error.problems
            except NotDrawnError as error:
                not_drawn.append(str(error))
        if problems:
            raise ConfigError(list(dict.fromkeys([*problems, *empty])))
    if not_drawn:
        raise MachineError("\n".join(not_drawn))
    if not sites:
        raise ConfigError(empty)
    return [sites[r.name] for r in build.regions if r.name in sites], [problem.found for problem in empty]
