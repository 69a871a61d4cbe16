"""Sites, and other places without a picture."""

from typing import Literal

from schemas.records.base import Latitude, Longitude, Record

Continent = Literal["AF", "AS", "EU", "NA", "OC", "SA"]
"""Africa, Asia, Europe, North America, Oceania, South America."""


class Site(Record):
    """One sampled coordinate."""

    site_id: str
    """Id of the site: name of the region and a digest."""
    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit that the site belongs to."""
    lat: Latitude
    """Latitude of the site, degrees."""
    lon: Longitude
    """Longitude of the site, degrees."""
    weight: float
    """Inclusion weight: the photos, square metres of land or metres of road that the site stands for."""


class BBox(Record):
    """Bounding box."""

    xmin: float
    """West, degrees."""
    ymin: float
    """South, degrees."""
    xmax: float
    """East, degrees."""
    ymax: float
    """North, degrees."""
