"""Selects the finished sites to publish, and their splits: near-duplicates, splits, embargo. Reads no picture."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config.build import Build
from pipeline.errors import ConfigError, Problem
from pipeline.geo.overlaps import Chips
from pipeline.publishing.distractors import Candidates
from pipeline.publishing.division import Places
from pipeline.publishing.duplicates import by_footprint, by_picture, by_text, left_out
from pipeline.publishing.embargo import embargoed, straddling
from pipeline.publishing.exclusions import Excluded, Exclusion
from pipeline.publishing.keys import Keys, keys_of
from pipeline.publishing.manifest import FINISHED
from pipeline.publishing.splits import SPLITS, RegionSplit, Remembered, draw_splits
from pipeline.publishing.units import CONTROLS, INDEX_SCHEMA, FinishedUnit
from pipeline.quantity import quantity
from pipeline.reliability import Reliability
from schemas.records import Split

NO_SAMPLES = pa.chunked_array([], pa.string())
_READERS = 8
"""Threads that read the units' indexes: enough to hide a bucket's latency."""
_JOINED = 64
"""Tables of so many units are joined, as one of few rows takes more memory for its columns than for their values."""
_OF_DISTRACTORS = ["site_id", "lat", "lon"]
_OF_SITES = [*_OF_DISTRACTORS, "phash", "aerial_phash", "sequences", "photos", "text"]
"""The columns of an index that are kept of all units."""


@dataclass(frozen=True)
class Sites:
    """The finished sites of all units, one array item each, in the order of region, unit and id."""

    ids: NDArray[np.object_]
    region: NDArray[np.object_]
    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    home: NDArray[np.int64]
    """Which of the ordered units."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    phash: pa.ChunkedArray
    """Text; so is the next, which may be null."""
    aerial_phash: pa.ChunkedArray
    sequences: Keys
    photos: Keys
    """Sequences and photos are numbered together, see `keys_of`."""
    text: pa.ChunkedArray
    """Sketches of the descriptions, or null."""
    texts: Mapping[str, list[str]]
    """SHA-256 of the descriptions of the sites that people decided on, by id."""

    def chips(self, side_m: float) -> Chips:
        """Footprints of the sites' chips."""
        return Chips(self.lat, self.lon, np.full(len(self.ids), side_m))


@dataclass(frozen=True)
class Selection:
    """The samples that are published."""

    split: NDArray[np.object_]
    """Split of each site; empty where it is left out."""
    excluded: list[Excluded]
    """The sites that are left out, in the order of their ids."""
    split_of: dict[str, Split]
    """By unit."""
    regions: dict[str, RegionSplit]


@dataclass(frozen=True)
class _Index:
    """What is used of a unit's index."""

    ids: pa.Table
    """Ids of all its sites."""
    finished: pa.Table
    distractors: pa.Table
    """Those that have a chip."""
    reasons: list[str | None]
    """Of the sites that are no distractors; likewise `controls`."""
    controls: list[int]
    texts: dict[str, list[str]]


def read_sites(
    ordered: Sequence[FinishedUnit], decided: Collection[str] = ()
) -> tuple[Sites, Candidates, dict[str, dict[str, int]], Reliability]:
    """The finished sites of units, the distractors, the outcomes of all other sites, and the verifier's answers.

    An outcome is a reason, or `FINISHED`; they are counted by region. The answers are those to controls. `decided` are
    the ids of the sites that people decided on.

    Raises:
        ValueError: two sites have one id.
    """
    outcomes: dict[str, Counter[str]] = {unit.region: Counter() for unit in ordered}
    controls: Counter[int] = Counter()
    texts: dict[str, list[str]] = {}
    empty = _used(INDEX_SCHEMA.empty_table(), decided)
    ids, finished, distractors = [empty.ids], [empty.finished], [empty.distractors]
    sizes = []
    with ThreadPoolExecutor(_READERS, "index") as pool:
        indexes = pool.map(lambda unit: _used(unit.load_index().sort_by("site_id"), decided), ordered)
        for unit, index in zip(ordered, indexes, strict=True):
            outcomes[unit.region].update(reason or FINISHED for reason in index.reasons)
            controls.update(index.controls)
            texts |= index.texts
            sizes.append((index.finished.num_rows, index.distractors.num_rows))
            for tables, one in ((ids, index.ids), (finished, index.finished), (distractors, index.distractors)):
                tables.append(one)
                if not len(sizes) % _JOINED:
                    tables[-_JOINED:] = [pa.concat_tables(tables[-_JOINED:]).combine_chunks()]
    _check_ids(pa.concat_tables(ids)["site_id"])
    del ids
    verifier = Reliability()
    for code, count in controls.items():
        verifier.count(*CONTROLS[code], count)
    of_sites, of_distractors = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
    table, home = pa.concat_tables(finished), np.repeat(np.arange(len(ordered)), of_sites)
    sequences, photos = keys_of(table["sequences"], table["photos"])
    sites = Sites(
        **_places(ordered, table, home),
        phash=table["phash"],
        aerial_phash=table["aerial_phash"],
        sequences=sequences,
        photos=photos,
        text=table["text"],
        texts=texts,
    )
    table, home = pa.concat_tables(distractors), np.repeat(np.arange(len(ordered)), of_distractors)
    candidates = Candidates(**_places(ordered, table, home))
    return sites, candidates, {region: dict(sorted(counts.items())) for region, counts in outcomes.items()}, verifier


def _used(index: pa.Table, decided: Collection[str]) -> _Index:
    samples = index.filter(pc.invert(index["distractor"]))
    with_texts = index.filter(pc.is_in(index["site_id"], pa.array(decided, pa.string())))
    done = index.filter(index["reason"].is_null())
    return _Index(
        ids=index.select(["site_id"]),
        finished=done.filter(pc.invert(done["distractor"])).select(_OF_SITES),
        distractors=done.filter(done["distractor"]).select(_OF_DISTRACTORS),
        reasons=samples["reason"].to_pylist(),
        controls=pc.list_flatten(samples["controls"]).to_pylist(),
        texts=dict(zip(with_texts["site_id"].to_pylist(), with_texts["texts"].to_pylist(), strict=True)),
    )


def _check_ids(ids: pa.ChunkedArray) -> None:
    if pc.count_distinct(ids).as_py() < len(ids):
        twice = min(site_id for site_id, count in Counter(ids.to_pylist()).items() if count > 1)
        raise ValueError(f"several sites are called {twice}")


def _places(ordered: Sequence[FinishedUnit], table: pa.Table, home: NDArray[np.int64]) -> dict[str, Any]:
    """The fields that `Sites` and `Candidates` have in common."""
    return {
        "ids": table["site_id"].to_numpy(),
        "region": np.array([unit.region for unit in ordered], dtype=np.object_)[home],
        "cell": np.array([unit.unit for unit in ordered], dtype=np.object_)[home],
        "home": home,
        "lat": table["lat"].to_numpy(),
        "lon": table["lon"].to_numpy(),
    }


def select(
    build: Build, sites: Sites, before: Remembered, samples: pa.ChunkedArray, side_m: float, embargo_m: float
) -> Selection:
    """Decide what is published.

    Args:
        build: its section `publish`, seed and regions.
        sites: the finished sites.
        before: what keeps its split.
        samples: ids of the samples that are published already. They take precedence.
        side_m: side of a chip on the ground.
        embargo_m: sites of two splits are at least so far apart.

    Raises:
        ConfigError: a split with a share stays empty, and `publish.allow_empty` does not name it.
    """
    settings = build.publish
    old = pc.is_in(pa.array(sites.ids, pa.string()), samples).to_numpy(zero_copy_only=False)
    respects = {
        Exclusion.NEAR_DUPLICATE: by_picture(sites.phash.to_pylist(), settings.min_duplicate_distance),
        Exclusion.AERIAL_DUPLICATE: by_picture(sites.aerial_phash.to_pylist(), settings.min_duplicate_distance),
        Exclusion.TEXT_DUPLICATE: by_text(sites.text, settings.max_text_likeness),
        Exclusion.FOOTPRINT_DUPLICATE: by_footprint(sites.chips(side_m), settings.max_footprint_share, sites.home),
    }
    survivor, kind = left_out(list(respects.values()), sites.home, np.argsort(~old, kind="stable"))
    reason = np.array([*respects, ""], dtype=np.object_)[kind]

    stays = np.flatnonzero(survivor < 0)
    places = Places(sites.cell, sites.lat, sites.lon, sites.sequences.joined(sites.photos), old)
    split_of, regions = draw_splits(build, places.take(stays), sites.region[stays], before, embargo_m)
    drawn = np.full(len(sites.ids), "", dtype=np.object_)
    drawn[stays] = [split_of[cell] for cell in sites.cell[stays]]
    split = drawn.copy()
    for why in (Exclusion.SPLIT_EMBARGO, Exclusion.SEQUENCE_EMBARGO, Exclusion.PHOTO_EMBARGO):
        if why == Exclusion.SPLIT_EMBARGO:
            gives_way = embargoed(sites.lat, sites.lon, split, embargo_m, old)
        else:
            keys = sites.sequences if why == Exclusion.SEQUENCE_EMBARGO else sites.photos
            gives_way = straddling(keys, split, old)
        out = gives_way >= 0
        reason[out], survivor[out], split[out] = why, gives_way[out], ""
    rows = [
        Excluded(
            sample_id=sites.ids[row],
            region=sites.region[row],
            unit=sites.cell[row],
            lat=sites.lat[row],
            lon=sites.lon[row],
            split=drawn[row] or None,
            reason=str(reason[row]),
            survivor=sites.ids[survivor[row]],
        )
        for row in np.flatnonzero(survivor >= 0).tolist()
    ]
    _none_empty(build, split, sites, regions)
    return Selection(split, sorted(rows, key=lambda row: row.sample_id), split_of, regions)


class UnfilledSplitsError(ConfigError):
    """Splits that have a share would be empty: of few units, as in a trial, or by the settings."""


def _none_empty(build: Build, split: NDArray[np.object_], sites: Sites, regions: Mapping[str, RegionSplit]) -> None:
    settings, there = build.publish, set(split.tolist()) - {""}
    empty = [name for name in SPLITS if getattr(settings.splits, name) and name not in there]
    if not there or not set(empty) - set(settings.allow_empty):
        return
    units, held = len(set(sites.cell.tolist())), sum(told.held_out for told in regions.values())
    raise UnfilledSplitsError(
        [
            Problem(
                f"publish.splits.{name}",
                f"a share of {getattr(settings.splits, name):g} and no site to fill it ({len(split)} finished sites in "
                f"{quantity(units, 'unit')} of {quantity(len(regions), 'region')}, {held} of them held out)",
                "a share of 0, more or smaller units (sampling.unit_resolution), the split's name in "
                "publish.allow_empty or, if the dataset was published with other splits, a place of its own",
            )
            for name in empty
            if name not in settings.allow_empty
        ]
    )
