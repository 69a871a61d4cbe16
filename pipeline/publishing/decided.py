"""Applies people's decisions about an earlier revision to a selection: edits that still fit, and rejected sites."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.publishing.decisions import Decisions, Edited, edits_of, still_rejected
from pipeline.publishing.exclusions import Excluded, Exclusion
from pipeline.publishing.selection import Selection, Sites
from pipeline.publishing.units import TEXTS


@dataclass(frozen=True)
class Decided:
    """A selection after people's decisions."""

    split: NDArray[np.object_]
    """Split of each site; empty where it is left out."""
    excluded: list[Excluded]
    """The sites that are left out, in the order of their ids."""
    edited: dict[str, Edited]
    """The edits that fit, by site."""
    counts: dict[str, int]
    """Samples `edited` and `rejected`, and decisions that are `stale` since the texts are others now. Empty without
    decisions."""


def decide(sites: Sites, chosen: Selection, decisions: Decisions | None) -> Decided:
    """Apply decisions.

    Rejections come last, so that they change neither the split of a block nor which of two duplicates stays.
    """
    if decisions is None:
        return Decided(chosen.split, chosen.excluded, {}, {})
    split, excluded = chosen.split.copy(), list(chosen.excluded)
    about = decisions.samples
    where = {sample_id: i for i, sample_id in enumerate(sites.ids) if sample_id in about and split[i] != ""}
    edited: dict[str, Edited] = {}
    counts = {"edited": 0, "rejected": 0, "stale": 0}
    for rejected in decisions.rejected:
        at = where.get(rejected.sample_id)
        if at is None or not still_rejected(rejected, dict(zip(TEXTS, sites.texts[rejected.sample_id], strict=True))):
            counts["stale"] += 1
            continue
        counts["rejected"] += 1
        excluded.append(
            Excluded(
                sample_id=sites.ids[at],
                region=sites.region[at],
                unit=sites.cell[at],
                lat=sites.lat[at],
                lon=sites.lon[at],
                split=split[at],
                reason=str(Exclusion.AUDIT_REJECTED),
                survivor="",
            )
        )
        split[at] = ""
    for one in decisions.edited:
        at = where.get(one.sample_id)
        fitting = edits_of(one, dict(zip(TEXTS, sites.texts[one.sample_id], strict=True))) if at is not None else ()
        counts["edited" if fitting else "stale"] += 1
        if fitting:
            edited[one.sample_id] = one.model_copy(update={"edits": list(fitting)})
    return Decided(split, sorted(excluded, key=lambda row: row.sample_id), edited, counts)
