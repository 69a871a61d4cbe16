"""Sites along the map's roads."""

import numpy as np

from pipeline.config.sampling import RoadWeights
from pipeline.errors import ConfigError, Problem
from pipeline.regions.ground import Drawn, Floats, Ground, nothing_in, rounded
from pipeline.regions.thinning import caps_at, thin
from pipeline.sources.base import HasRoads

STEPS = 4
"""Candidates per spacing along a road, so that roads fill up nearly as densely as the spacing allows."""


def draw_along_roads(ground: Ground) -> Drawn:
    """Sites along roads, with a probability per metre in proportion to the weight of the road class.

    Each road is cut into pieces of equal length, a quarter of the spacing or slightly more, with a candidate in the
    middle of each. The arrival time of a candidate is drawn from (seed, region, road id, piece): exponential, with the
    length of the piece times the weight of the class as its rate. Candidates are visited in the order of arrival.

    The weight of a site is the length of road that it stands for, in metres: its own piece and those of the candidates
    it excluded, each divided by the probability that a piece of its rate had arrived by the last visit. So the expected
    sum of the weights is the length of all roads whose class has a weight other than 0.

    Raises:
        ConfigError: the region's map source does not know roads, or has none here that count; the latter is a
            `NothingThereError` for a source on the network.
        SiteError: a source could not be reached.
    """
    if not isinstance(ground.map, HasRoads):
        found = f"roads, and {ground.region.name} has no map source that knows them"
        raise ConfigError([Problem("sampling.method", found, "a map source with roads, or another method")])
    places, lengths, rates, arrivals = [], [], [], []
    for road in ground.map.roads(ground.region):
        rate = class_weight(road.category, ground.sampling.road_weights)
        x, y = ground.frame.to_metres(road.lon, road.lat)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        if not rate or not np.isfinite(along[-1]) or not along[-1]:
            continue
        pieces = max(1, int(along[-1] / ground.sampling.spacing_m * STEPS))
        middles = (np.arange(pieces) + 0.5) * (along[-1] / pieces)
        places.append(np.column_stack([np.interp(middles, along, x), np.interp(middles, along, y)]))
        lengths.append(np.full(pieces, along[-1] / pieces))
        rates.append(lengths[-1] * rate)
        arrivals.append(ground.chance("roads", road.road_id).exponential(size=pieces) / rates[-1])
    if places:
        lon, lat = (rounded(axis) for axis in ground.frame.to_degrees(*np.concatenate(places).T))
        inside = ground.region.contains(lon, lat)
    if not places or not inside.any():
        found = f"no road of {ground.map.name} within {ground.region.name} whose class counts (sampling.road_weights)"
        raise nothing_in(ground, ground.map, found)
    length, rate_, arrival = (np.concatenate(values)[inside] for values in (lengths, rates, arrivals))
    order = np.argsort(arrival, kind="stable")
    return _thinned(ground, lon[inside][order], lat[inside][order], length[order], rate_[order], arrival[order])


def class_weight(category: str, weights: RoadWeights) -> float:
    """Weight of a road class. Links count as what they lead to, other classes as `other`."""
    name = category.removesuffix("_link")
    return float(getattr(weights, name if name in RoadWeights.model_fields else "other"))


def _thinned(ground: Ground, lon: Floats, lat: Floats, length: Floats, rate: Floats, arrival: Floats) -> Drawn:
    x, y = ground.frame.to_metres(lon, lat)
    thinned = thin(x, y, ground.sampling.spacing_m, ground.sampling.max_sites, caps_at(ground, x, y))
    visited = thinned.visited
    metres = length[:visited]
    if visited < len(lon):
        metres = metres / -np.expm1(-rate[:visited] * arrival[visited])
    return Drawn(lon[thinned.taken], lat[thinned.taken], thinned.stands_for(metres))
