"""Sites on land, with equal density."""

import numpy as np

from pipeline.errors import ConfigError, Problem
from pipeline.geo.shape import box_area_m2
from pipeline.regions.ground import Drawn, Floats, Ground, rounded
from pipeline.regions.land import land_mask
from pipeline.regions.thinning import caps_at, thin

AREA_DRAWS = 16_384
"""Draws from which the area of land is estimated: within 1 % if half of the bounding box is land of the region."""
_LEAST_DRAWS = 65_536
_LEAST_GAIN = 0.01
_BLOCK = 2**20


def draw_uniformly(ground: Ground) -> Drawn:
    """Sites at random points with equal density in the region, without those at sea.

    Point i depends only on (seed, region, i). The weight of a site is the area of land that it stands for, in square
    metres: the region's land, shared by the sites (the spacing treats all places equally, except for a strip along the
    edges as wide as the spacing). Where caps refused points, the sites of the group stand for more.

    Fewer than `max_sites` are drawn if there is no room for more: if twice the draws give less than 1 % more sites.

    Raises:
        ConfigError: `max_sites` is not set, or the region is on open water.
        SiteError: there are caps, and the street source could not be reached.
    """
    if ground.sampling.max_sites is None:
        raise ConfigError(
            [Problem("sampling.max_sites", "nothing", "a number: `uniform` draws until it has so many sites a region")]
        )
    return draw_points(ground, ground.sampling.max_sites, land_only=True)


def draw_points(ground: Ground, most: int, *, land_only: bool) -> Drawn:
    """Like `draw_uniformly`; also at sea unless `land_only`."""
    draws, before = AREA_DRAWS, 0
    while True:
        lon, lat, share = points(ground, draws, land_only=land_only)
        if len(lon):
            x, y = ground.frame.to_metres(lon, lat)
            thinned = thin(x, y, ground.sampling.spacing_m, most, caps_at(ground, x, y))
            count = len(thinned.taken)
            if count == most or (draws >= _LEAST_DRAWS and count - before <= _LEAST_GAIN * count):
                break
            before = count
        elif draws >= _LEAST_DRAWS:
            raise open_water(ground)
        draws *= 2
    weight = thinned.stands_for(thinned.itself())
    weight *= share * box_area_m2(ground.region.bounds()) / weight.sum()
    return Drawn(lon[thinned.taken], lat[thinned.taken], weight)


def points(ground: Ground, draws: int, *, land_only: bool) -> tuple[Floats, Floats, float]:
    """The first `draws` random points of the bounding box that lie in the region, and their share.

    Returns:
        Longitude and latitude of the points in the region (and on land), and their share of the first 16,384.
    """
    west, south, east, north = ground.region.bounds()
    # Alike by area, so alike by the sine of the latitude (Archimedes' hat box).
    low, high = np.sin(np.radians([south, north]))
    chance = ground.chance("uniform")
    lons, lats, share = [], [], 0.0
    for done in range(0, draws, _BLOCK):
        across, along = chance.random((min(_BLOCK, draws - done), 2)).T
        lat = rounded(np.degrees(np.arcsin(low + along * (high - low))))
        lon = rounded((west + across * ((east - west) % 360.0 or 360.0) + 180.0) % 360.0 - 180.0)
        inside = ground.region.contains(lon, lat)
        if land_only:
            inside[inside] = land_mask().is_land(lon[inside], lat[inside])
        lons.append(lon[inside])
        lats.append(lat[inside])
        share = share or float(inside[:AREA_DRAWS].mean())
    return np.concatenate(lons), np.concatenate(lats), share


def open_water(ground: Ground) -> ConfigError:
    """The error for a region without land."""
    middle_lat, middle_lon = ground.region.middle()
    found = f"{ground.region.name} (around {middle_lat:.4f}, {middle_lon:.4f}) is on open water"
    if abs(middle_lon) <= 90 and bool(land_mask().is_land(np.array([middle_lat]), np.array([middle_lon]))[0]):
        found += "; with latitude and longitude swapped it would be on land"
    allowed = "a region with land by the 1 km land mask; where that lacks an island, sampling.method imagery or roads"
    return ConfigError([Problem(ground.where, found, allowed)])
