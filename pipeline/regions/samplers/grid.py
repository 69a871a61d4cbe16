"""Sites on a grid over the land."""

import numpy as np
from pyproj import Transformer

from pipeline.errors import ConfigError, Problem
from pipeline.regions.ground import Drawn, Ground, rounded
from pipeline.regions.land import land_mask
from pipeline.regions.samplers.uniform import open_water
from pipeline.regions.thinning import caps_at, thin

MOST_POINTS = 20_000_000
"""Maximum number of points in the square around the region; more would take gigabytes."""


def draw_on_grid(ground: Ground) -> Drawn:
    """Sites on a square grid of `spacing_m` with a point in the region's middle, without those at sea.

    The grid is square in Lambert's azimuthal equal-area projection around the middle, so that each point stands for the
    same area; in a region 100 km wide the distance of neighbours is within 0.002 % of the spacing. With `max_sites`,
    points are taken in an order drawn from (seed, region). The weight of a site is the area of land that it stands for,
    in square metres: the land of all points, shared by the sites. Where caps refused points, the sites of the group
    stand for more.

    Raises:
        ConfigError: no point is on land, or there are more than 20 million points.
        SiteError: there are caps, and the street source could not be reached.
    """
    spacing = ground.sampling.spacing_m
    middle_lat, middle_lon = ground.region.middle()
    crs = f"+proj=laea +lat_0={middle_lat:.8f} +lon_0={middle_lon:.8f} +datum=WGS84 +units=m +no_defs"
    projection = Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    west, south, east, north = ground.region.bounds()
    left, bottom, right, top = projection.transform_bounds(west, south, east, north)
    columns = np.arange(np.ceil(left / spacing), np.floor(right / spacing) + 1)
    rows = np.arange(np.ceil(bottom / spacing), np.floor(top / spacing) + 1)
    if len(columns) * len(rows) > MOST_POINTS:
        found = f"{spacing:g}, which makes a grid of {len(columns) * len(rows):,} points over {ground.region.name}"
        raise ConfigError([Problem("sampling.spacing_m", found, f"at most {MOST_POINTS:,} points")])
    x, y = (axis.ravel() * spacing for axis in np.meshgrid(columns, rows))
    lon, lat = (rounded(np.asarray(axis)) for axis in projection.transform(x, y, direction="INVERSE"))
    inside = ground.region.contains(lon, lat)
    inside[inside] = land_mask().is_land(lon[inside], lat[inside])
    if not inside.any():
        raise open_water(ground)
    lon, lat = lon[inside], lat[inside]
    order = np.argsort(ground.chance("grid").random(len(lon)), kind="stable")
    lon, lat = lon[order], lat[order]
    x, y = ground.frame.to_metres(lon, lat)
    thinned = thin(x, y, 0.0, ground.sampling.max_sites, caps_at(ground, x, y))
    weight = thinned.stands_for(thinned.itself())
    weight *= spacing**2 * len(lon) / weight.sum()
    return Drawn(lon[thinned.taken], lat[thinned.taken], weight)
