"""Section `sampling`: where sites are drawn."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Section


class RoadWeights(Section):
    """Relative probability that a metre of road is drawn, by road class. 0 excludes a class."""

    motorway: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """Weight of a metre of motorway road."""
    trunk: Annotated[float, Field(ge=0, le=1_000)] = 0.2
    """Weight of a metre of trunk road."""
    primary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of primary road."""
    secondary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of secondary road."""
    tertiary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of tertiary road."""
    residential: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of residential road."""
    service: Annotated[float, Field(ge=0, le=1_000)] = 0.3
    """Weight of a metre of service road."""
    pedestrian: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of pedestrian street."""
    other: Annotated[float, Field(ge=0, le=1_000)] = 0.2
    """Weight of a metre of any other class."""


class Sampling(Section):
    """Where sites are drawn. Drawing more sites, or adding a region, never moves existing sites."""

    method: Literal["imagery", "uniform", "grid", "roads"] = "imagery"
    """Where sites are drawn. `imagery`: at the positions of the street source's photos. `uniform`: on land, with equal
    density. `grid`: on a grid of `spacing_m`. `roads`: along the roads of the map source."""
    spacing_m: Annotated[float, Field(gt=0, le=10_000)] = 40.0
    """Minimum distance between two sites of a region, in metres."""
    max_sites: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Maximum number of sites per region. If left out, as many as the spacing allows; `uniform` requires it."""
    max_per_sequence: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of sites per region whose nearest photo belongs to the same capture sequence."""
    max_per_contributor: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of sites per region whose nearest photo is by the same author."""
    road_weights: RoadWeights = RoadWeights()
    """How often each road class is drawn; only for `method: roads`."""
    unit_resolution: Annotated[int, Field(ge=5, le=11)] = 9
    """H3 resolution of a unit's cell. A cell of resolution 9 covers 0.1 km2: about 60 sites at a spacing of 40 m."""
