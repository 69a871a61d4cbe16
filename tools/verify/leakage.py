"""Proof that no split leaks into another: pairs of samples of two splits that are too near or show the same."""

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.config.publishing import Publish
from pipeline.errors import SiteError
from pipeline.geo.earth import earth_centred
from pipeline.geo.overlaps import Chips, shares_between
from pipeline.imaging.decode import decode
from pipeline.imaging.phash import distance, phash
from pipeline.publishing.distractors import split_of_file
from pipeline.publishing.duplicates import Likeness, by_picture, by_text
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.text_sketch import SKETCH, sketch
from pipeline.storage import Store
from tools.verify.rows import LIMITS

Kind = Literal["distance", "chip", "sequence", "photo", "street picture", "aerial picture", "description"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_VIEW = ("source", "source_id", "sequence")
_BOUNDS = ("west", "south", "east", "north", "width", "gsd_m")
_CHIPS = ("aerial_chip", "map_chip", "drone_chip")
_COLUMNS = [
    "sample_id", "split", "lat", "lon", "description", "street", "panorama", "aerial", "street_view.phash",
    *(f"{view}.{name}" for view in ("street_view", "panorama_view") for name in _VIEW),
    *(f"other_views.list.element.{name}" for name in (*_VIEW, "image")),
    *(f"{chip}.{name}" for chip in _CHIPS for name in _BOUNDS), "aerial_chip.phash",
    *(f"aerial_scales.list.element.{name}" for name in _BOUNDS),
]  # fmt: skip
_SAME_PICTURE = 2
"""A recorded hash is taken as that of the picture if it differs in no more bits: JPEG may change one or two."""
_TOUCHING = 1e-6
"""Chips that share less of their area do not overlap."""


@dataclass(frozen=True, order=True)
class Leak:
    """Two samples of different splits that should not both be published."""

    kind: Kind
    first: str
    """Sample id and split, `a (train)`."""
    second: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.first} and {self.second}: {self.detail}"


@dataclass(frozen=True)
class Leakage:
    """The findings."""

    samples: Counter[str]
    """How many were looked at, by split."""
    leaks: list[Leak]
    """In the order of kind and ids."""
    unread: list[str]
    """Shards and pictures that could not be read, and why: nothing is known of them."""

    def counts(self) -> dict[Kind, int]:
        """Number of leaks of each kind."""
        return {kind: sum(leak.kind == kind for leak in self.leaks) for kind in KINDS}


@dataclass
class _Found:
    """The values kept of all samples, one item each."""

    ids: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    street: list[str | None] = field(default_factory=list)
    aerial: list[str | None] = field(default_factory=list)
    text: list[bytes | None] = field(default_factory=list)
    sequences: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Samples by what they hold; likewise photos."""
    photos: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    chips: list[tuple[int, float, float, float]] = field(default_factory=list)
    """Sample, latitude and longitude of the centre, side in metres."""
    unread: list[str] = field(default_factory=list)

    def name(self, row: int) -> str:
        return f"{self.ids[row]} ({self.split[row]})"

    def leak(self, kind: Kind, one: int, other: int, detail: str) -> Leak:
        first, second = sorted((self.name(one), self.name(other)))
        return Leak(kind, first, second, detail)


def find_leaks(store: Store, whole: Manifest) -> Leakage:
    """All pairs of samples and distractors of two splits that leak. Decodes each sample's main picture and aerial chip.

    Pictures and texts count as near-duplicates by the limits that the dataset was published with; where these kept
    all, by the defaults of the build file.
    """
    found = _Found()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for shard in whole.shards:
            try:
                with store.reader(shard.path) as source:
                    file = pq.ParquetFile(source)
                    for group in range(file.num_row_groups):
                        rows = file.read_row_group(group, columns=_COLUMNS).to_pylist()
                        for row, hashes in zip(rows, pool.map(_hashes, rows), strict=True):
                            _take(found, row, *hashes)
            except (OSError, pa.ArrowException, KeyError, TypeError) as error:
                found.unread.append(f"{shard.path}: cannot be read: {error!r}")
    for path in (entry.path for entry in whole.files if split_of_file(entry.path)):
        try:
            with store.reader(path) as source:
                file = pq.ParquetFile(source)
                for group in range(file.num_row_groups):
                    for row in file.read_row_group(group, columns=_COLUMNS).to_pylist():
                        _take(found, row, None, None, [])
        except (OSError, pa.ArrowException, KeyError, TypeError) as error:
            found.unread.append(f"{path}: cannot be read: {error!r}")
    limits = Publish()
    min_distance = whole.min_duplicate_distance or limits.min_duplicate_distance
    likeness = whole.max_text_likeness if (whole.max_text_likeness or 1) < 1 else limits.max_text_likeness
    assert likeness is not None
    alike_pictures, alike_texts = f"under {min_distance} bits of their hashes differ", "nearly the same words"
    leaks = [
        *_near(found, whole.embargo_m),
        *_overlapping(found),
        *_shared(found, "sequence", found.sequences),
        *_shared(found, "photo", found.photos),
        *_alike(found, "street picture", by_picture(found.street, min_distance), alike_pictures),
        *_alike(found, "aerial picture", by_picture(found.aerial, min_distance), alike_pictures),
        *_alike(found, "description", by_text(pa.chunked_array([found.text], SKETCH), likeness), alike_texts),
    ]
    return Leakage(Counter(found.split), sorted(set(leaks)), found.unread)


def _hashes(row: Mapping[str, Any]) -> tuple[str | None, str | None, list[str]]:
    """Hashes of the main picture and of the aerial chip, and what was wrong with them."""
    faults: list[str] = []
    found: list[str | None] = []
    for role, info in (("street", "street_view"), ("aerial", "aerial_chip")):
        image, told = row[role], (row[info] or {}).get("phash")
        seen = None
        if image is not None:
            try:
                seen = phash(decode(image["bytes"] or b"", LIMITS))
            except SiteError as error:
                faults.append(f"{row['sample_id']}, {role}: {error}")
        # Publishing went by the recorded hash, so that counts as long as it is this picture's.
        close = seen is not None and told is not None and _is_hash(told) and distance(seen, told) <= _SAME_PICTURE
        found.append(told if close else seen)
    return found[0], found[1], faults


def _is_hash(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{16}", text) is not None


def _take(found: _Found, row: Mapping[str, Any], street: str | None, aerial: str | None, faults: list[str]) -> None:
    found.unread += faults
    if not all(row[name] for name in ("sample_id", "split")) or not np.isfinite(_numbers(row)).all():
        found.unread.append(f"{row['sample_id']}: no id, split or position, or a chip without bounds")
        return
    number = len(found.ids)
    found.ids.append(row["sample_id"])
    found.split.append(row["split"])
    found.lat.append(row["lat"])
    found.lon.append(row["lon"])
    found.street.append(street)
    found.aerial.append(aerial)
    found.text.append(sketch(row["description"]) if row["description"] else None)
    pictures = [row["street"], row["panorama"], *(view["image"] for view in row["other_views"])]
    views = [view for view in (row["street_view"], row["panorama_view"], *row["other_views"]) if view is not None]
    for view in views:
        if view.get("sequence"):
            _put(found.sequences, f"{view['source']} {view['sequence']}", number)
        _put(found.photos, f"{view['source']} {view['source_id']}", number)
    for picture in pictures:
        if picture is not None and picture["bytes"]:
            _put(found.photos, f"bytes {hashlib.sha256(picture['bytes']).hexdigest()}", number)
    for chip in (*(row[name] for name in _CHIPS), *row["aerial_scales"]):
        if chip is not None:
            width = (chip["east"] - chip["west"]) % 360  # degrees; a chip may lie across the antimeridian
            lon = (chip["west"] + width / 2 + 180) % 360 - 180
            found.chips.append((number, (chip["south"] + chip["north"]) / 2, lon, chip["width"] * chip["gsd_m"]))


def _numbers(row: Mapping[str, Any]) -> NDArray[np.float64]:
    """All numbers of a row that say where it is; NaN where one is missing."""
    chips = [chip for chip in (*(row[name] for name in _CHIPS), *row["aerial_scales"]) if chip is not None]
    told = [row["lat"], row["lon"], *(chip[name] for chip in chips for name in _BOUNDS)]
    return np.array([np.nan if value is None else value for value in told], dtype=np.float64)


def _put(holders: dict[str, list[int]], key: str, number: int) -> None:
    if not holders[key] or holders[key][-1] != number:
        holders[key].append(number)


def _near(found: _Found, embargo_m: float) -> Iterator[Leak]:
    """Samples nearer than the embargo."""
    if not found.ids:
        return
    position = earth_centred(np.array(found.lat), np.array(found.lon))
    for one, other in _across(np.array(found.split), position, embargo_m):
        metres = float(np.linalg.norm(position[one] - position[other]))
        if metres < embargo_m:
            yield found.leak("distance", one, other, f"{metres:.1f} m apart, less than {embargo_m:.1f} m")


def _overlapping(found: _Found) -> Iterator[Leak]:
    """Samples with a chip of one that overlaps a chip of the other."""
    if not found.chips:
        return
    sample, lat, lon, side = (np.array(column) for column in zip(*found.chips, strict=True))
    chips = Chips(lat, lon, side)
    split = np.array(found.split)[sample]
    most: dict[tuple[int, int], float] = {}
    for one, other in _across(split, chips.earth_centred(), float(side.max()) * 2**0.5):
        share = float(shares_between(chips[np.array([one])], chips[np.array([other])])[0])
        pair = int(sample[one]), int(sample[other])
        most[pair] = max(most.get(pair, 0.0), share)
    for (one, other), share in most.items():
        if share > _TOUCHING:
            yield found.leak("chip", one, other, f"chips share {share:.1%} of their area")


def _across(split: NDArray[np.str_], position: NDArray[np.float64], reach: float) -> Iterator[tuple[int, int]]:
    """Pairs of places of two splits that are within reach of each other."""
    rows = {name: np.flatnonzero(split == name) for name in sorted(set(split.tolist()))}
    trees = {name: cKDTree(position[mine]) for name, mine in rows.items()}
    for first, second in combinations(rows, 2):
        for at, near in enumerate(trees[first].query_ball_tree(trees[second], reach)):
            for other in near:
                yield int(rows[first][at]), int(rows[second][other])


def _shared(found: _Found, kind: Kind, holders: Mapping[str, list[int]]) -> Iterator[Leak]:
    """Samples of two splits that hold the same; of each split, each sample with the first one of the others."""
    for key, rows in holders.items():
        first = {found.split[row]: row for row in reversed(rows)}
        for row in rows if len(first) > 1 else ():
            for split, other in first.items():
                if split != found.split[row]:
                    yield found.leak(kind, row, other, key)


def _alike(found: _Found, kind: Kind, likeness: Likeness, detail: str) -> Iterator[Leak]:
    """Samples of two splits that are alike."""
    holders: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(likeness.which.tolist()):
        if number >= 0:
            holders[number].append(row)
    same = ((number, number) for number, rows in holders.items() if len(rows) > 1)
    for a, b in (*same, *(tuple(pair) for pair in likeness.pairs.tolist())):
        for one, other in product(holders[a], holders[b]):
            if one != other and found.split[one] != found.split[other]:
                yield found.leak(kind, one, other, detail)
