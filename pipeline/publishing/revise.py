"""Take-downs from published data: a new revision without the samples, and their files gone from all others."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.publishing import revisions
from pipeline.publishing.manifest import Manifest, ShardEntry
from pipeline.publishing.rewrite import (
    as_they_are,
    check_current,
    distractor_rows,
    light_rows,
    rewrite_shard,
    rewritten_revision,
)
from pipeline.publishing.takedown import Takedown
from pipeline.publishing.takedown_match import COLUMNS, Matcher
from pipeline.storage import Store
from schemas.reasons import Reason


@dataclass(frozen=True)
class Revised:
    """The result of a take-down."""

    manifest: Manifest
    """Manifest of the revision in force."""
    removed: list[str]
    """Ids of the samples and distractors that it took down."""
    files_removed: int


def revise(out: Store, takedown: Takedown, *, unmatched: bool = False) -> Revised:
    """Take samples down from a published dataset.

    The revision in force is one without them, and tells their ids, so that others can take them out of copies. No
    older revision stays. Entries that were applied before are known again.

    Args:
        out: the dataset's place.
        takedown: what may not be published.
        unmatched: whether entries that no sample matches are taken for granted; otherwise they are errors, for an id
            with a typing error would leave its picture published.

    Raises:
        ConfigError: there is no sound dataset of this version, an entry matches nothing, or no sample would stay.
        MachineError: a shard cannot be read or written.
        OvertakenError: another process published to the bucket at the same time; a second try mends it.
    """
    with revisions.publishing_alone(out) as alone:
        out.sweep(*((0.0,) if alone else ()))
        standing = revisions.look(out)
        before = standing.current  # the card may be that of a revision whose publisher was killed
        if before is None or standing.missing(before):
            found = f"{out.url}, without a whole dataset in force"
            raise ConfigError([Problem("dataset", found, "a dataset that `geoscribe verify` finds sound")])
        check_current(before, out.url)
        matcher = Matcher(takedown)
        down = {shard.path: _down(out, shard, matcher) for shard in before.shards}
        chips = [(path, row, matcher.matches(row)) for path, row in distractor_rows(out, before, COLUMNS)]
        stay: dict[str, set[str]] = {path: set() for path, _, _ in chips}
        for path, row, gone_too in chips:
            stay[path] |= set() if gone_too else {row["sample_id"]}
        problems = [problem for entry, problem in matcher.unmatched().items() if entry.digest not in before.taken_down]
        if problems and not unmatched:
            raise ConfigError(problems)
        gone: dict[str, list[str]] = {}
        for samples in down.values():
            for sample_id, region in samples.items():
                gone.setdefault(region, []).append(sample_id)
        removed = sorted(sample_id for ids in gone.values() for sample_id in ids)
        chips_removed = [row["sample_id"] for _, row, gone_too in chips if gone_too]
        if len(removed) == before.counts.published:
            found = f"a list that takes down all {len(removed)} samples"
            raise ConfigError([Problem("take-down list", found, "one that leaves some; remove the dataset instead")])
        taken = matcher.counts()
        counted = {key: before.taken_down.get(key, 0) + taken.get(key, 0) for key in before.taken_down | taken}
        revision = before
        if removed or chips_removed or counted != before.taken_down:
            shards = [shard for shard in before.shards if not down[shard.path]]
            for shard in before.shards:
                if down[shard.path]:
                    remade = _without(out, before, shard, down[shard.path])
                    shards += [remade] if remade is not None else []
            # Without the fingerprint, the next build looks whether its own list has these entries.
            revision, root = rewritten_revision(
                out, before, shards, out, gone=gone, reason=Reason.TAKEN_DOWN, taken_down=counted,
                removed=sorted({*before.removed, *removed, *chips_removed}), distractors=stay,
                provenance={"fingerprint": None},
            )  # fmt: skip
            revisions.put_in_force(out, revision, root, standing)
        # Also where nothing was left to do: a take-down that was killed after its revision was in force goes on here.
        swept = revisions.tidy(out, 0, alone=alone, superseded=bool(counted))
    return Revised(revision, sorted([*removed, *chips_removed]), swept)


def _down(out: Store, shard: ShardEntry, matcher: Matcher) -> dict[str, str]:
    """Region of each sample of a shard that is to go, by id."""
    rows = light_rows(out, shard, (*COLUMNS, "region"))
    return {row["sample_id"]: row["region"] for row in rows if matcher.matches(row)}


def _without(out: Store, before: Manifest, shard: ShardEntry, gone: Mapping[str, str]) -> ShardEntry | None:
    keep = {row["sample_id"] for row in light_rows(out, shard, ("sample_id",))} - gone.keys()
    return rewrite_shard(out, before, shard, out, keep, as_they_are, digest(sorted(gone)))
