"""Writes several datasets as one: whole shards are copied, others written anew; then a revision lists them all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from pipeline.digest import digest
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import counts, revisions
from pipeline.publishing.assemble import assemble
from pipeline.publishing.distractor_files import put_files
from pipeline.publishing.exclusions import Excluded
from pipeline.publishing.manifest import Counts, Manifest, ShardEntry
from pipeline.publishing.rewrite import in_split, light_rows, rewrite_shard
from pipeline.publishing.shards import copy_file
from pipeline.publishing.split_file import SPLIT_FILE, split_file
from pipeline.publishing.tables import EXCLUDED, write_records
from pipeline.reliability import ALL, Reliability
from pipeline.storage import Store
from schemas.records import Split
from tools.dataset import Dataset
from tools.merging.choosing import Chosen, choose
from tools.merging.distractors import Placed, merged_files, place_distractors
from tools.merging.inputs import check_inputs, merged_build


@dataclass(frozen=True)
class Merged:
    """The result: what was written."""

    manifest: Manifest
    left_out: dict[str, int] = field(default_factory=dict)
    """Samples that the merge left out, by reason."""
    copied: int = 0
    """Shards that were copied as they are; the others were written anew."""


def merge(datasets: Sequence[Dataset], out: Store, name: str, *, keep_splits: bool) -> Merged:
    """Write datasets of different builds as one dataset, to an empty place.

    Args:
        datasets: the first named takes precedence where samples are alike.
        out: where to.
        name: of the merged dataset.
        keep_splits: whether samples keep their split; otherwise splits are drawn for all by the first one's settings.

    Raises:
        ConfigError: they cannot be merged (`check_inputs`, `choose`), or the place holds files.
        MachineError: a shard cannot be read or written.
    """
    check_inputs(datasets)
    build = merged_build(name, datasets)
    with revisions.publishing_alone(out):
        standing = revisions.look(out)
        if standing.entries:
            raise ConfigError([Problem("OUT", f"{out.url}, which holds files", "an empty folder or prefix")])
        chosen = choose(build, datasets, keep=keep_splits)
        made = [_shard(dataset, shard, out, chosen) for dataset in datasets for shard in dataset.manifest.shards]
        placed = place_distractors(build, datasets, chosen)
        shards = sorted((entry for entries, _ in made for entry in entries), key=lambda entry: entry.path)
        excluded = [row for dataset in datasets for row in _excluded_before(dataset)] + chosen.left_out
        drawn = split_file(build, chosen.split_of_cell, chosen.regions, None)
        manifest, root = assemble(
            build, _counts(datasets, shards, chosen, placed), shards, out, None,
            workspace=None, provenance=_provenance(datasets, keep_splits),
            taken_down=dict(sum((Counter(dataset.manifest.taken_down) for dataset in datasets), Counter())),
            removed=sorted({sample for dataset in datasets for sample in dataset.manifest.removed}),
            others={
                SPLIT_FILE: lambda path: path.write_text(drawn.model_dump_json(indent=1) + "\n", encoding="utf-8"),
                EXCLUDED: lambda path: write_records(Excluded, excluded, path),
            },
            placed=put_files(merged_files(build, datasets, placed), out),
        )  # fmt: skip
        revisions.put_in_force(out, manifest, root, standing)
    left_out = Counter(row.reason for row in chosen.left_out)
    return Merged(manifest, dict(left_out), sum(whole for _, whole in made))


def _shard(dataset: Dataset, shard: ShardEntry, out: Store, chosen: Chosen) -> tuple[list[ShardEntry], bool]:
    """A shard's samples in the merged dataset, a shard a split; and whether it was copied as it is."""
    ids = [row["sample_id"] for row in light_rows(dataset.store, shard, ("sample_id",))]
    by_split: dict[Split, set[str]] = {}
    for sample in ids:
        if sample in chosen.split_of:
            by_split.setdefault(chosen.split_of[sample], set()).add(sample)
    if by_split == {shard.split: set(ids)}:
        return [_copied(dataset, shard, out)], True
    made = []
    for split, samples in sorted(by_split.items()):

        def moved(rows: pa.Table, split: Split = split) -> pa.Table:
            return in_split(rows, split)

        key = digest("merged", split, sorted(samples))
        entry = rewrite_shard(dataset.store, dataset.manifest, shard, out, samples, moved, key, split=split)
        made += [entry] if entry is not None else []
    return made, False


def _copied(dataset: Dataset, shard: ShardEntry, out: Store) -> ShardEntry:
    temporary = out.scratch()
    try:
        copy_file(dataset.store, shard, temporary)
        out.adopt_new(temporary, shard.path)
    except OSError as error:
        raise MachineError(f"cannot copy {shard.path} to {out.url}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return shard


def _excluded_before(dataset: Dataset) -> list[Excluded]:
    path = next((file.path for file in dataset.manifest.files if file.path.endswith(f"/{EXCLUDED}")), None)
    if path is None:
        return []
    try:
        with dataset.store.reader(path) as file:
            return [Excluded.model_validate(row) for row in pq.read_table(file).to_pylist()]
    except (OSError, pa.ArrowException) as error:
        raise MachineError(f"{dataset.store.url}/{path} cannot be read: {error}") from error


def _counts(datasets: Sequence[Dataset], shards: Sequence[ShardEntry], chosen: Chosen, placed: Placed) -> Counts:
    before = [dataset.manifest.counts for dataset in datasets]
    outcomes: dict[str, Counter[str]] = {}
    for one in before:
        for region, found in one.outcomes.items():
            outcomes.setdefault(region, Counter()).update(found)
    failed = sum((Counter(one.failed) for one in before), Counter[str]())
    excluded = Counter({reason: 0 for one in before for reason in one.excluded})
    for one in before:
        excluded.update(one.excluded)
    excluded.update(row.reason for row in chosen.left_out)
    return counts.total(
        shards,
        sites=sum(one.sites for one in before),
        failed=dict(sorted(failed.items())),
        outcomes={region: dict(sorted(found.items())) for region, found in sorted(outcomes.items())},
        excluded=dict(excluded),
        verifier=counts.verifier_rates(_reliability(before)),
        distractors=placed.counts,
    )


def _reliability(before: Sequence[Counts]) -> Reliability:
    """The controls of all builds together."""
    found = Reliability()
    for one in before:
        for kind, rates in one.verifier.items():
            if kind != ALL:  # counted with each kind
                for holds, rate in ((False, rates.false_accept), (True, rates.false_refuse)):
                    found.count(kind, holds, not holds, rate.wrong)
                    found.count(kind, holds, holds, rate.of - rate.wrong)
    return found


def _provenance(datasets: Sequence[Dataset], keep_splits: bool) -> dict[str, JsonValue]:
    """Where it all came from: each dataset with its settings and its own provenance."""
    merged: list[JsonValue] = [
        {
            "name": one.name,
            "revision": one.revision,
            "digest": one.digest,
            "samples": one.counts.published,
            "splits": dict(one.counts.splits),
            "config": one.config,
            "packages": dict(one.packages),
            "provenance": one.provenance,
        }
        for one in (dataset.manifest for dataset in datasets)
    ]
    models = [dataset.manifest.provenance.get("models") for dataset in datasets]
    different: list[JsonValue] = []
    for model in (model for some in models if isinstance(some, list) for model in some):
        if model not in different:
            different.append(model)
    return {"merged": merged, "splits": "kept" if keep_splits else "drawn anew", "models": different}
