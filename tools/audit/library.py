"""The samples of the audited dataset: light facts of all, whole samples by id."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.errors import MachineError
from pipeline.publishing.manifest import ShardEntry
from schemas.arrow import from_table
from schemas.records import Outcome, Sample, Split
from tools.audit.records import digest_of_texts
from tools.dataset import Dataset, open_dataset

_KEPT = 128
"""Whole samples in memory, some 0.5 to 2 MB each."""
_CHIPS = ("panorama", "aerial", "drone", "map")
_COLUMNS = (
    *("sample_id", "region", "split", "lat", "lon", "captioner", "prompt_set", "model"),
    *("description", "description_short", "description_street"),
    *("aerial_chip.width", "aerial_chip.gsd_m"),
    *(f"aerial_signatures.{name}" for name in ("colour", "orientation", "spectrum")),
    "sentences.list.element.claims.list.element.outcome",
)


@dataclass(frozen=True)
class Facts:
    """The facts that plans choose samples by."""

    sample_id: str
    region: str
    split: Split
    lat: float
    lon: float
    writer: str
    prompt_set: str
    short: str
    text_sha256: str
    outcomes: tuple[Outcome, ...]
    """Outcomes of all claims."""
    width_m: float | None
    """Side length of the aerial chip, metres; None without one."""
    looks: tuple[float, ...] = field(repr=False)
    """Signatures of the aerial chip, one after the other; empty without one."""
    shard: ShardEntry = field(repr=False)
    group: int
    row: int

    @property
    def witnessed(self) -> float:
        """Share of the claims that somebody but the writer witnesses; 1 without claims."""
        return sum(o == "supported" for o in self.outcomes) / len(self.outcomes) if self.outcomes else 1.0


class Library:
    """One revision of a dataset. Whole samples are read one at a time, and the last are kept; threads may share it."""

    def __init__(self, dataset: Dataset) -> None:
        """Reads the light facts.

        Raises:
            MachineError: a shard is missing or damaged.
        """
        self.dataset = dataset
        self.facts = {facts.sample_id: facts for shard in dataset.manifest.shards for facts in _facts(dataset, shard)}
        self._kept: OrderedDict[str, Sample] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def revision(self) -> str:
        """Digest of the revision."""
        return self.dataset.manifest.digest

    def sample(self, sample_id: str) -> Sample:
        """A whole sample.

        Raises:
            KeyError: the dataset has none of that id.
            MachineError: its shard is missing or damaged.
        """
        with self._lock:
            if sample_id in self._kept:
                self._kept.move_to_end(sample_id)
                return self._kept[sample_id]
            facts = self.facts[sample_id]
            with self.dataset.shard(facts.shard) as file:
                table = file.read_row_group(facts.group).slice(facts.row, 1)
                try:
                    (sample,) = from_table(Sample, table)
                except ValidationError as error:
                    raise MachineError(f"{facts.shard.path}: {sample_id} is no sample: {error}") from error
            self._kept[sample_id] = sample
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return sample

    def without_pictures(self, sample_ids: Container[str]) -> Iterator[Sample]:
        """Samples without the bytes of their pictures and without masks, in the order of the shards.

        One row group is in memory at a time; those without a wanted sample are not read.

        Raises:
            MachineError: a shard is missing or damaged.
        """
        wanted: dict[tuple[str, int], list[Facts]] = defaultdict(list)
        for facts in self.facts.values():
            if facts.sample_id in sample_ids:
                wanted[facts.shard.path, facts.group].append(facts)
        for shard in self.dataset.manifest.shards:
            groups = [group for path, group in wanted if path == shard.path]
            if groups:
                with self.dataset.shard(shard) as file:
                    for group in sorted(groups):
                        table = file.read_row_group(group, columns=_light(file))
                        rows = table.take([facts.row for facts in wanted[shard.path, group]]).to_pylist()
                        yield from (_bare(row, shard) for row in rows)

    def revised(self) -> "Library | None":
        """The dataset's newer revision, if there is one."""
        newer = open_dataset(self.dataset.store.url)
        return Library(newer) if newer.manifest.digest != self.revision else None


def _light(file: pq.ParquetFile) -> list[str]:
    """The columns of a shard but for the bytes of pictures, and masks."""
    paths = (file.schema.column(i).path for i in range(len(file.schema)))
    return [path for path in paths if not path.endswith(".bytes") and ".mask." not in path]


def _bare(row: dict[str, Any], shard: ShardEntry) -> Sample:
    for picture in (row["street"], *(part["image"] for part in (*row["aerial_scales"], *row["other_views"]))):
        picture["bytes"] = b""
    cues = [cue | {"mask": None} for cue in row["cues"]]
    try:
        return Sample.model_validate(row | dict.fromkeys(_CHIPS) | {"cues": cues})
    except ValidationError as error:
        raise MachineError(f"{shard.path}: {row['sample_id']} is no sample: {error}") from error


def writer_of(captioner: str, prompt_set: str, model: str | None) -> str:
    """The writer of a description: captioner, prompt set and model."""
    return ", ".join(part for part in (captioner, prompt_set, model) if part)


def _facts(dataset: Dataset, shard: ShardEntry) -> list[Facts]:
    with dataset.shard(shard) as file:
        groups: Sequence[pa.Table] = [
            file.read_row_group(group, columns=list(_COLUMNS)) for group in range(file.num_row_groups)
        ]
    return [
        _fact(row, shard, group, number)
        for group, table in enumerate(groups)
        for number, row in enumerate(table.to_pylist())
    ]


def _fact(row: dict[str, Any], shard: ShardEntry, group: int, number: int) -> Facts:
    chip, looks = row["aerial_chip"], row["aerial_signatures"]
    texts = (row["description"], row["description_short"], row["description_street"])
    return Facts(
        sample_id=row["sample_id"],
        region=row["region"],
        split=row["split"],
        lat=row["lat"],
        lon=row["lon"],
        writer=writer_of(row["captioner"], row["prompt_set"], row["model"]),
        prompt_set=row["prompt_set"],
        short=row["description_short"],
        text_sha256=digest_of_texts(*texts),
        outcomes=tuple(claim["outcome"] for sentence in row["sentences"] for claim in sentence["claims"]),
        width_m=chip["width"] * chip["gsd_m"] if chip else None,
        looks=tuple(v for name in ("colour", "orientation", "spectrum") for v in looks[name]) if looks else (),
        shard=shard,
        group=group,
        row=number,
    )
