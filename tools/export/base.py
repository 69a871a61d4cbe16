"""Base of all exports: their settings, the folder that they write to, the credits of what they take."""

import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.base import Section
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing.attribution import Attribution
from pipeline.publishing.layout import columns, published_row
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.samples import Role, pictures
from schemas.records import AnySplit, ChipInfo, Image, Sample, StreetInfo
from tools.dataset import Dataset

CREDITS, LEFT_OUT = "attribution.parquet", "left_out.parquet"
_LEFT_OUT_SCHEMA = pa.schema([("sample_id", pa.string()), ("reason", pa.string())])
_AT_ONCE = 1_000
"""Rows that a table holds in memory before it writes them."""


class Target:
    """The folder of an export: the format's own files, a credit for every picture, a list of what is left out."""

    def __init__(self, folder: Path, manifest: Manifest, credits_table: "Table", left_out_table: "Table") -> None:
        self.folder = folder
        self.manifest = manifest
        """Manifest of the dataset."""
        self._credits = credits_table
        self._left_out = left_out_table
        self.taken = 0
        """Samples that were exported."""
        self.reasons: Counter[str] = Counter()
        """Samples that were left out, by reason."""

    def write(self, path: str, data: bytes) -> None:
        """Write a new file at a relative path.

        Raises:
            MachineError: there is such a file already: two samples would share it.
        """
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(data)
        except FileExistsError as error:
            raise MachineError(f"two pictures of the dataset would be {path}; run `geoscribe verify` on it") from error

    def take(self, sample: Sample, roles: Collection[Role]) -> None:
        """Count a sample as exported, and note whom its pictures of these roles are by."""
        self.taken += 1
        for role, _, info in pictures(sample):
            if role in roles:
                credit = {name: getattr(info, name) for name in Attribution.model_fields if hasattr(info, name)}
                named = {"sample_id": sample.sample_id, "role": role, "distractor": False}
                self._credits.add(named | published_row(credit))

    def leave_out(self, sample: Sample, reason: str) -> None:
        """Note that a sample is not exported, and why."""
        self.reasons[reason] += 1
        self._left_out.add({"sample_id": sample.sample_id, "reason": reason})


class Table:
    """A Parquet file, written some rows at a time. A context manager."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, row: dict[str, Any]) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) == _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()


class Export(Section, ABC):
    """A format. Its fields are the settings that `--set` takes."""

    roles: ClassVar[frozenset[Role]] = frozenset({"street", "panorama", "other", "aerial", "drone", "map"})
    """The pictures that it takes."""

    split: AnySplit | None = None
    """Only samples of this split; `test` stands for `test_seen` and `test_unseen`."""

    def check(self, dataset: Dataset, out: Path) -> None:
        """Refuse what cannot work before anything is written.

        Raises:
            ConfigError: this dataset or this folder cannot be exported so.
        """

    @abstractmethod
    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write the samples, which come one at a time, in the order of the shards."""


def export(dataset: Dataset, out: Path, form: Export) -> Target:
    """Export a dataset to a folder that is not there yet, or empty. The folder is whole, or it is not there.

    Raises:
        ConfigError: the folder holds something, or the format refuses the dataset.
        MachineError: a shard cannot be read, or the folder not be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError([Problem("OUT", str(out), "a folder that is empty or not there")])
    form.check(dataset, out.resolve())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(out) as folder:
            with (
                Table(folder / CREDITS, columns(Attribution)) as credits_table,
                Table(folder / LEFT_OUT, _LEFT_OUT_SCHEMA) as left_out,
            ):
                target = Target(folder, dataset.manifest, credits_table, left_out)
                form.write(_checked(dataset.stream(form.split)), target)
            if not target.reasons:
                (folder / LEFT_OUT).unlink()
            if not target.taken:
                none = f"the split {form.split} has none" if form.split else "the dataset has none"
                why = ", ".join(f"{count} {reason}" for reason, count in target.reasons.items()) or none
                raise ConfigError([Problem("export", f"no sample to export ({why})", "a dataset with such samples")])
            folder.replace(out)
    except OSError as error:
        raise MachineError(f"cannot write {out}: {error}") from error
    return target


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder beside the one wanted; removed where it was not moved."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checked(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Samples whose ids can be names of files."""
    for sample in samples:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", sample.sample_id):
            raise ConfigError([Problem("sample_id", repr(sample.sample_id), "lower-case letters, digits and -")])
        yield sample


def named_pictures(sample: Sample, roles: Collection[Role]) -> Iterator[tuple[str, Role, Image, StreetInfo | ChipInfo]]:
    """The pictures of these roles with a name that no other of the sample has: `street`, `other-1`."""
    seen: Counter[Role] = Counter()
    for role, image, info in pictures(sample):
        if role in roles:
            seen[role] += 1
            yield (f"{role}-{seen[role]}" if role in ("other", "scale") else role), role, image, info


def suffix(image: Image) -> str:
    """`.jpg` or `.png`, by the picture's first bytes.

    Raises:
        ConfigError: it is neither.
    """
    if image.bytes.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if image.bytes.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    raise ConfigError([Problem("picture", f"{image.path!r}, which is neither JPEG nor PNG", "a sound dataset")])


def without_pictures(sample: Sample) -> dict[str, Any]:
    """All of a sample but pictures and geometry, as JSON takes it; times as text in UTC."""
    row: dict[str, Any] = published_row(
        sample.model_dump(
            exclude=dict.fromkeys(("street", "panorama", "aerial", "drone", "map", "geometry"), True)
            | {"other_views": {"__all__": {"image"}}, "aerial_scales": {"__all__": {"image"}}},
        )
    )
    return row
