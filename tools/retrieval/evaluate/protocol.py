"""Evaluate on all galleries, with each way to count chips that overlap the right one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.overlaps import Chips, Overlaps, find_overlaps, thinned
from tools.retrieval.embeddings import Embeddings, same_width
from tools.retrieval.evaluate.figures import COUNTINGS, Counting, Measured, figures
from tools.retrieval.evaluate.ranking import Ints, rank

LEAST_OVERLAP = 0.25
"""Share of its area that a chip must have in common with another to count as overlapping."""


@dataclass(frozen=True)
class Gallery:
    """Chips to search, and the queries that search for them."""

    ids: list[str]
    """Ids of the chips; a query has the id of its own chip."""
    chips: Chips
    queries: list[str]
    """Ids; the same one may stand several times, for several texts of a place."""
    blocks: NDArray[np.str_]
    """Block of each query."""
    strata: Mapping[str, NDArray[np.bool_]]
    """Which queries belong to it, by the stratum's name."""
    overlaps: Overlaps | None = None
    """Where the dataset says which chips overlap; sought by distance if None."""
    thin: NDArray[np.bool_] | None = None
    """The chips of the thinned gallery, where the dataset says which; chosen here if None."""

    @property
    def distractors(self) -> NDArray[np.bool_]:
        """Mask of the chips that no query searches for."""
        wanted = set(self.queries)
        return np.array([chip not in wanted for chip in self.ids], dtype=np.bool_)


def evaluate(
    queries: Embeddings,
    chips: Embeddings,
    gallery: Gallery,
    *,
    least_overlap: float = LEAST_OVERLAP,
    strata_counting: Counting = "ignored",
) -> list[Measured]:
    """Compute all figures: of the gallery with and without distractors, thinned, and by stratum.

    Args:
        queries: vectors of the queries' texts, by id.
        chips: vectors of the gallery's chips, by id.
        gallery: what is to be searched.
        least_overlap: chips that overlap by more than this share count as overlapping.
        strata_counting: what overlapping chips count for in the strata's figures.

    Raises:
        ConfigError: a vector is missing, or those of queries and gallery differ in width.
    """
    same_width(queries, chips)
    if not gallery.queries:
        raise ConfigError([Problem("queries", "none", "at least one sample with a text and a chip")])
    place = {chip: row for row, chip in enumerate(gallery.ids)}
    absent = sorted({query for query in gallery.queries if query not in place})
    if absent:
        lost = f"{len(absent)} queries whose own chip is not in it, such as {absent[0]}"
        raise ConfigError([Problem("gallery", lost, "a gallery that holds the right answer to every query")])
    own = np.array([place[query] for query in gallery.queries], dtype=np.int64)
    asked, shown = queries.rows_of(gallery.queries, "queries"), chips.rows_of(gallery.ids, "gallery")
    overlaps = gallery.overlaps if gallery.overlaps is not None else find_overlaps(gallery.chips)

    def searched(name: str, rows: Ints, strata: bool) -> list[Measured]:
        inside = np.full(len(gallery.ids), -1, dtype=np.int64)
        inside[rows] = np.arange(len(rows))
        kept = inside[own] >= 0
        mine, sub = inside[own[kept]], gallery.chips[rows]
        near = overlaps.among(rows).above(least_overlap)
        ranks = rank(asked[kept], shown[rows], mine, sub, near)
        blocks = gallery.blocks[kept]
        found = [
            figures(_protocol(name, counting, least_overlap), "all", ranks, counting, mine, sub, blocks)
            for counting in (COUNTINGS if len(near.other) else COUNTINGS[:1])
        ]
        for stratum, members in gallery.strata.items() if strata else ():
            if members[kept].any():
                protocol = _protocol(name, strata_counting, least_overlap)
                found.append(figures(protocol, stratum, ranks, strata_counting, mine, sub, blocks, members[kept]))
        return found

    distractors = gallery.distractors
    thin = gallery.thin if gallery.thin is not None else _thin(gallery.ids, overlaps)
    rows = np.arange(len(gallery.ids))
    found = searched("full gallery", rows, strata=True)
    if distractors.any():
        found += searched("gallery without distractors", rows[~distractors], strata=False)
    if not thin.all():
        found += searched("thinned gallery", rows[thin], strata=False)
    return found


def _thin(ids: list[str], overlaps: Overlaps) -> NDArray[np.bool_]:
    """Thin in the order of a hash of the id, which favours no place and is repeatable."""
    order = sorted(range(len(ids)), key=lambda row: digest("thin", ids[row]))
    return thinned(overlaps, np.array(order, dtype=np.int64), LEAST_OVERLAP)


def _protocol(name: str, counting: Counting, least: float) -> str:
    how = {"wrong": "wrong answers", "ignored": "left out", "right": "right answers"}[counting]
    return f"{name}; chips that overlap by over {least:.0%}: {how}"
