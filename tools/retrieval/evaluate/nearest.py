"""CVG-Text's own protocol: each text against the 100 chips nearest to its place, as their `evaluate.py` defines it.

Numbers of it compare with theirs and with nothing else: with 100 candidates, chance is R@1 1 %, R@5 5 %, R@10 10 %,
however large the gallery. Their definition, kept to the letter:

- the place is read off the start of the file's base name, `LAT,LON`;
- the 100 nearest by haversine (6371 km), the query's own chip among them; equal distances in the files' order;
- ranked by cosine, where ties stand as NumPy's default sort leaves them, then each base name counted once;
- R@k: the own base name is among the first k; deviation: 0 if it is the first, else the distance to the first;
- L@50, L@100, L@150: share of deviations of at most 50, 100, 150 m;
- a query is of a panorama where its whole path has three or more parts between underscores.

With more than 100 chips at one coordinate the right one may not be among the 100; `left_out` counts such queries.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.errors import ConfigError, Problem
from pipeline.geo.earth import EARTH_KM, haversine_km, unit_vectors
from tools.retrieval.embeddings import Floats32
from tools.retrieval.evaluate.ranking import Floats, Ints

CANDIDATES = 100
_PLACE = re.compile(r"([-+]?[0-9]*\.?[0-9]+),([-+]?[0-9]*\.?[0-9]+)")
_SLACK = 1e-9
"""Relative: what is as near as the hundredth but for rounding is looked at exactly."""


@dataclass(frozen=True)
class NearestFigures:
    """Figures of some queries; shares from 0 to 1."""

    queries: int
    recall: dict[int, float]
    """By k: 1, 5, 10."""
    located: dict[int, float]
    """By metres: 50, 100, 150."""
    deviation_km: float
    left_out: int
    """Queries whose own chip is not among their candidates."""
    candidates: int
    """Chips that each text is held against; chance of R@k is k over this."""


@dataclass(frozen=True)
class Nearest:
    """The three blocks that CVG-Text prints. A block without queries is None."""

    overall: NearestFigures
    panorama: NearestFigures | None
    single_view: NearestFigures | None


def nearest_protocol(texts: Floats32, chips: Floats32, paths: Sequence[str], candidates: int = CANDIDATES) -> Nearest:
    """Compute the figures of CVG-Text's protocol.

    Args:
        texts: n x d, of length 1.
        chips: n x d, of length 1: query i looks for chip i.
        paths: of the chips, as `.../LAT,LON_....png`.
        candidates: 100; another number is another protocol.

    Raises:
        ConfigError: a path that does not start with a position.
    """
    names = [posixpath.basename(path.replace("\\", "/")) for path in paths]
    lat, lon = _places(names)
    near = nearest_rows(lat, lon, candidates)
    recall = {k: np.zeros(len(names), np.bool_) for k in (1, 5, 10)}
    deviation, left_out = np.zeros(len(names)), np.zeros(len(names), np.bool_)
    for i, rows in enumerate(near):
        order = np.argsort(-(chips[rows] @ texts[i]))
        first = int(rows[order[0]])
        unlike = list(dict.fromkeys(names[rows[at]] for at in order))
        for k, hits in recall.items():
            hits[i] = names[i] in unlike[:k]
        left_out[i] = names[i] not in unlike
        if names[first] != names[i]:
            deviation[i] = haversine_km(lat[i], lon[i], lat[first], lon[first])
    panorama = np.array([len(path.split("_")) > 2 for path in paths])
    each = min(candidates, len(names))

    def block(chosen: NDArray[np.bool_]) -> NearestFigures | None:
        if not chosen.any():
            return None
        return NearestFigures(
            queries=int(chosen.sum()),
            recall={k: float(hits[chosen].mean()) for k, hits in recall.items()},
            located={m: float((deviation[chosen] <= m / 1_000).mean()) for m in (50, 100, 150)},
            deviation_km=float(deviation[chosen].mean()),
            left_out=int(left_out[chosen].sum()),
            candidates=each,
        )

    overall = block(np.ones(len(names), np.bool_))
    assert overall is not None
    return Nearest(overall, block(panorama), block(~panorama))


def nearest_rows(lat: Floats, lon: Floats, count: int) -> list[Ints]:
    """Find the `count` nearest rows to each place by haversine distance; ties are in row order."""
    points = unit_vectors(lat, lon)
    tree = cKDTree(points)
    k = min(count, len(lat))
    reach = tree.query(points, k=[k])[0][:, 0]
    # A chord's rounding must not leave out what is exactly as far as the last one.
    close = tree.query_ball_point(points, reach * (1 + _SLACK) + _SLACK / EARTH_KM)
    found = []
    for i, members in enumerate(close):
        rows = np.sort(np.asarray(members, dtype=np.int64))
        order = np.argsort(haversine_km(lat[i], lon[i], lat[rows], lon[rows]), kind="stable")
        found.append(rows[order[:k]])
    return found


def _places(names: Sequence[str]) -> tuple[Floats, Floats]:
    matches = [_PLACE.match(name) for name in names]
    bad = [name for name, match in zip(names, matches, strict=True) if match is None]
    if bad:
        found = f"{len(bad)} names like {bad[0]!r}"
        raise ConfigError([Problem("image paths", found, "base names that start with LAT,LON in plain decimals")])
    pairs = np.array([(float(match[1]), float(match[2])) for match in matches if match is not None])
    pairs = pairs.reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
