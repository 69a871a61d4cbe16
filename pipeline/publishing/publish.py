"""Publish finished units as a revision of a dataset: plan, shards, tables, card, and last of all the manifest.

Shards of the revision before that would come out the same are taken as they are, and so are whole ones that a killed
publish left: see `ShardTask.recipe`. How a revision is put in force is told in `pipeline.publishing.revisions`.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import counts, revisions
from pipeline.publishing.assemble import assemble
from pipeline.publishing.decisions import Decisions
from pipeline.publishing.distractor_files import files_of, files_there, put_files
from pipeline.publishing.division import MOST_LOST
from pipeline.publishing.exclusions import Excluded, Exclusion
from pipeline.publishing.manifest import FINISHED, Counts, Manifest, ShardEntry
from pipeline.publishing.owner import Publishing, WouldShrinkError, rows_planned, shrinkage
from pipeline.publishing.packing import Plan, make_plan
from pipeline.publishing.revisions import Standing
from pipeline.publishing.shards import SHARD_NAME, ShardTask, file_entry, make_shard, read_entry, scratch_of
from pipeline.publishing.split_file import SPLIT_FILE, published_before, read_split_file, remembered, split_file
from pipeline.publishing.tables import EXCLUDED, write_records
from pipeline.publishing.takedown import Takedown
from pipeline.publishing.takedown_match import Matcher, left_out
from pipeline.publishing.units import FinishedUnit, UnitPart, UnitTables
from pipeline.storage import Store

log = logging.getLogger(__name__)

VERSION = 10
"""Raised when the same tables would be published otherwise."""


@dataclass(frozen=True)
class Published:
    """The result of publishing."""

    counts: Counts
    shards: list[ShardEntry]
    made: int = 0
    """Shards that had to be made; the others were there."""


def publish(
    build: Build,
    units: Sequence[FinishedUnit],
    out: Store,
    *,
    synthetic: set[str],
    provenance: dict[str, JsonValue],
    takedown: Takedown | None = None,
    workspace: str | None = None,
    publishing: Publishing | None = None,
    decisions: Decisions | None = None,
    make: Callable[[Sequence[ShardTask]], Sequence[ShardEntry]] | None = None,
) -> Published:
    """Publish a build's finished units as the revision in force of a dataset.

    Args:
        build: the build; `publish`, `seed` and `imagery.chips` decide what goes where.
        units: in any order; the result does not depend on it. Sites that the revision in force has keep their split.
        out: the dataset's place: empty, or this build's. While another process publishes to a folder, this one waits.
        synthetic: names of the sources whose pictures are drawn and not taken.
        provenance: goes into the manifest as it is (engines, fingerprints, inputs); the card lists its `models`.
        takedown: what may not be published.
        workspace: id of the workspace that the units are from.
        publishing: what may be done to a dataset that is there; everything if None.
        decisions: what people decided about an earlier revision.
        make: makes shards and puts them in their place; one after the other in this process if None.

    Raises:
        ConfigError: the place holds something else, or there is nothing to publish, or what was taken down there is
            missing from the take-down list.
        WouldShrinkError: a region would have fewer rows than before, and `publishing` does not allow it.
        MachineError: the dataset's place cannot be written, or the verifier is below `grounding.verifier_floor`.
        OvertakenError: another process published to the bucket at the same time; publishing again mends it.
        BuildStopped: the user stopped it; publishing again goes on from there.
    """
    matcher = Matcher(takedown or Takedown())
    units = left_out(units, matcher)
    loads = {(unit.region, unit.unit): unit.load for unit in units}
    with revisions.publishing_alone(out) as alone:
        out.sweep(*((0.0,) if alone else ()))
        standing = revisions.look(out)
        takes_over = publishing is None or publishing.take_over
        revisions.check_owner(out, standing, build.name, None if takes_over else workspace or "")
        _check_still_down(out, standing.current, matcher)
        told, samples = read_split_file(out, standing.current), published_before(out, standing.current)
        before = remembered(told, samples, standing.current)
        plan = make_plan(build, units, synthetic, before, samples["sample_id"], decisions)
        plan.verifier.check(build.grounding.verifier_floor)
        _warn_of_small_regions(plan)
        if decisions is not None:
            figures: dict[str, JsonValue] = dict(decisions.figures)
            audit: JsonValue = {"of_revision": decisions.revision, **plan.decided, "figures": figures}
            provenance = provenance | {"audit": audit}
        withdrawn = matcher.taken() | {row.sample_id for row in plan.left_out if row.reason == Exclusion.AUDIT_REJECTED}
        region_of = {unit.unit: unit.region for unit in units}
        gone = samples.filter(pc.is_in(samples["sample_id"], pa.array(sorted(withdrawn), pa.string())))
        meant = Counter(region_of.get(unit, "") for unit in gone["unit"].to_pylist())
        lost = shrinkage(standing.current, Counter(rows_planned(plan)) + meant)
        if lost is not None and publishing is not None and not publishing.allow_shrink:
            raise WouldShrinkError(lost)
        revisions.take_over(out, standing, build.name, workspace)
        there = _reusable(out, standing, {task.recipe for task in plan.shards})
        wanted = [task for task in plan.shards if task.recipe not in there]
        if make is not None:
            made = make(wanted)
        else:
            made = [place_shard(task, lambda part: loads[part.region, part.unit](), out) for task in wanted]
        shards = sorted([*there.values(), *made], key=lambda shard: shard.path)
        found = counts.total(
            shards,
            sites=sum(count for outcomes in plan.outcomes.values() for count in outcomes.values()),
            failed=plan.failed,
            outcomes=plan.outcomes,
            excluded=plan.excluded,
            verifier=counts.verifier_rates(plan.verifier),
            distractors=plan.distractor_counts,
        )
        drawn = split_file(build, plan.split_of, plan.regions, told)
        revision, root = assemble(
            build, found, shards, out, standing.current,
            workspace=workspace, provenance=provenance, taken_down=matcher.counts(),
            removed=_removed(standing.current, matcher),
            others={
                SPLIT_FILE: lambda path: path.write_text(drawn.model_dump_json(indent=1) + "\n", encoding="utf-8"),
                EXCLUDED: lambda path: write_records(Excluded, plan.left_out, path),
            },
            placed=put_files(
                files_of(plan.distractors, build.publish.row_group_mb * 1e6), out, files_there(standing)
            ),
        )  # fmt: skip
        in_force = standing.sound
        if in_force is None or (in_force.digest, in_force.workspace) != (revision.digest, workspace):
            revisions.put_in_force(out, revision, root, standing)
        revisions.tidy(out, build.publish.keep_revisions, alone=alone)
    return Published(found, shards, len(made))


def _warn_of_small_regions(plan: Plan) -> None:
    gone = Counter(row.region for row in plan.left_out if row.reason == Exclusion.SPLIT_EMBARGO)
    for region, count in sorted(gone.items()):
        finished = plan.outcomes[region].get(FINISHED, 0)
        if count > MOST_LOST * finished:
            log.warning(
                "%s is small: %d of its %d finished sites are left out, as splits are a chip's diagonal apart. "
                "Smaller chips, a larger region or publish.allow_empty keep more.", region, count, finished
            )  # fmt: skip


def _removed(before: Manifest | None, matcher: Matcher) -> list[str]:
    return sorted(matcher.taken().union(before.removed if before else ()))


def _check_still_down(out: Store, before: Manifest | None, matcher: Matcher) -> None:
    """Refuse to publish again what was taken down from a dataset."""
    forgotten = (before.taken_down if before else {}).keys() - {entry.digest for entry in matcher.hits}
    if forgotten:
        found = f"a list without {len(forgotten)} entries that took samples down from {out.url}"
        raise ConfigError([Problem("publish.takedown", found, "all entries that were ever applied to the dataset")])


def place_shard(task: ShardTask, load: Callable[[UnitPart], UnitTables], out: Store) -> ShardEntry:
    """Make a shard and put it where it belongs, on any machine that reaches both the tables and the dataset.

    Raises:
        MachineError: it cannot be written.
    """
    with scratch_of(out, "a shard") as temporary:
        make_shard(task, map(load, task.group.parts), temporary)
        with temporary.open("rb") as file:
            written = file_entry(file, "")
            entry = read_entry(file, task.path(written.sha256), written)
        if entry is None:
            raise MachineError(f"a shard of {out.url} could not be read back as it was written; check the disk")
        out.adopt_new(temporary, entry.path)
    return entry


def _reusable(out: Store, standing: Standing, wanted: set[str]) -> dict[str, ShardEntry]:
    """Shards that need not be made, by recipe: of the revisions that are there, or left by a killed publish."""
    found: dict[str, ShardEntry] = {}
    for revision in standing.revisions:
        for shard in revision.shards:
            if shard.recipe in wanted and standing.has(shard):
                found.setdefault(shard.recipe, shard)
    return found | _left(out, standing.entries, wanted - found.keys())


def shards_there(out: Store, wanted: Collection[str]) -> dict[str, ShardEntry]:
    """Whole shards of a dataset's place by recipe, of those that are wanted. Each is read whole."""
    return _left(out, [entry.path for entry in out.entries("data")], wanted)


def _left(out: Store, paths: Iterable[str], wanted: Collection[str]) -> dict[str, ShardEntry]:
    """As `shards_there`, of some paths. A shard that is damaged is removed."""
    found: dict[str, ShardEntry] = {}
    for path in sorted(paths):
        name = re.fullmatch(SHARD_NAME, path)
        if name is not None and name["recipe"] in wanted and name["recipe"] not in found:
            with out.reader(path) as file:
                left = read_entry(file, path)
            if left is not None:
                found[left.recipe] = left
            else:  # in the way of the sound one, which may have its name
                out.delete(path)
    return found
