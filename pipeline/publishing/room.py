"""How many sites of a small region the gaps between its splits take: told before anything is built."""

from collections.abc import Mapping

import numpy as np

from pipeline.config.build import Build
from pipeline.geo.earth import earth_centred
from pipeline.publishing.division import Places
from pipeline.publishing.embargo import embargoed
from pipeline.publishing.keys import NO_KEYS
from pipeline.publishing.packing import chip_diagonal_m
from pipeline.publishing.splits import NOTHING, draw_splits

_NARROW = 20
"""Regions less than this many chip diagonals across are looked at; wider ones lose a tenth and less."""


def left_out(build: Build, sites: Mapping[str, Places]) -> dict[str, float]:
    """Share of the sites of each region that `split_embargo` would leave out, were all sites published at once.

    Args:
        build: its shares, seed, regions and chips.
        sites: by region.

    Returns:
        By region; those that are wide, or have no sites, are not listed.
    """
    embargo_m = chip_diagonal_m(build.imagery.chips)
    narrow = {name: places for name, places in sites.items() if len(places) and _across_m(places) < _NARROW * embargo_m}
    if not narrow:
        return {}
    region = np.repeat(np.array(list(narrow), np.object_), [len(places) for places in narrow.values()])
    every = Places(
        cell=np.concatenate([places.cell for places in narrow.values()]),
        lat=np.concatenate([places.lat for places in narrow.values()]),
        lon=np.concatenate([places.lon for places in narrow.values()]),
        keys=NO_KEYS,
        old=np.concatenate([places.old for places in narrow.values()]),
    )
    split_of, _ = draw_splits(build, every, region, NOTHING, embargo_m)
    split = np.array([split_of[cell] for cell in every.cell.tolist()], dtype="U16")
    gone = embargoed(every.lat, every.lon, split, embargo_m) >= 0
    return {name: float(gone[region == name].mean()) for name in narrow}


def _across_m(places: Places) -> float:
    """Diagonal of the box around the sites, metres."""
    return float(np.linalg.norm(np.ptp(earth_centred(places.lat, places.lon), axis=0)))
