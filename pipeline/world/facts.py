"""The map of a made-up town: named and notable things with their shapes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely

from pipeline.geo.axis import axis_deg
from pipeline.world.blocks import block
from pipeline.world.furniture import crossings, furniture
from pipeline.world.mesh import wall_between
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, Stretch, junction, stretch
from pipeline.world.things import Building
from pipeline.world.town import Pose, Town, cells_near
from schemas.records import FactKind, MapFact


@dataclass(frozen=True, eq=False)
class Known:
    """A thing on the map. Several shapes may bear one key: the stretches of a street."""

    key: str
    kind: FactKind
    category: str
    name: str | None
    shape: shapely.Geometry


@lru_cache(maxsize=512)
def known(town: Town, i: int, j: int) -> tuple[Known, ...]:
    """The facts of a block, its first corner, and the streets that start there; plain houses are left out."""
    found: list[Known] = []
    for family in (ALONG_EAST, ALONG_NORTH):
        found += _street(town, stretch(town, family, i, j))
    here = junction(town, i, j)
    if here.kind != "none":
        category = {"signals": "traffic_signals"}.get(here.kind, here.kind)
        found.append(Known(f"junction.{i}.{j}", "junction", category, None, shapely.Point(here.x, here.y)))
    land = block(town, i, j)
    for feature in land.features:
        shape = shapely.Polygon(feature.polygon)
        found.append(Known(feature.key, feature.kind, feature.category, feature.name, shape))
    for building in land.buildings:
        found += _building(building)
    for prop in (*land.props, *(p for f in (0, 1) for p in furniture(town, stretch(town, f, i, j)).props)):
        key, spot = f"{prop.kind}.{prop.x:.1f}.{prop.y:.1f}".replace(" ", "_"), shapely.Point(prop.x, prop.y)
        if prop.kind == "bus stop":
            found.append(Known(key, "stop", "bus_stop", prop.text, spot))
        elif prop.kind in ("fountain", "statue"):
            found.append(Known(key, "other", prop.kind, None, spot))
        elif prop.kind == "kiosk":
            found.append(Known(key, "poi", "kiosk", None, spot))
    return tuple(found)


def _street(town: Town, line: Stretch) -> list[Known]:
    shape = shapely.LineString(line.line)
    if line.kind == "river":
        return [Known(f"river.{line.i}", "water", "river", line.name, shape.buffer(line.width / 2))]
    if line.kind == "rail":
        return [Known(f"rail.{line.j}", "rail", "rail", None, shape)]
    found = [Known(f"street.{line.street_id}", "road", line.kind, line.name, shape)]
    if line.tram:
        found.append(Known(f"tram.{line.street_id}", "rail", "tram", None, shape))
    zebras = crossings(town, line)
    found += [Known(zebra.key, "crossing", "zebra", None, shapely.Point(line.at(zebra.along))) for zebra in zebras]
    return found


def _building(building: Building) -> list[Known]:
    found = []
    if building.name:
        found.append(
            Known(
                f"building.{building.key}",
                "building",
                building.category,
                building.name,
                shapely.Polygon(building.footprint),
            )
        )
    if building.label in ("school", "shop"):
        return found
    a, b = building.footprint[:2].tolist()
    front = wall_between(a, b)
    for number, shop in enumerate(building.shops):
        if shop is not None:
            spot = shapely.Point(front.spot(sum(building.shop_span(number)) / 2))
            found.append(Known(f"shop.{building.key}.{number}", "poi", shop.category, shop.name, spot))
    return found


def facts_around(town: Town, here: Pose, radius_m: float) -> list[MapFact]:
    """The facts within a radius, nearest first; of each street the nearest point."""
    things = [thing for cell in cells_near(town, here.x, here.y, radius_m) for thing in known(town, *cell)]
    spot = shapely.Point(here.x, here.y)
    shapes = np.array([thing.shape for thing in things], dtype=object)
    distances = shapely.distance(shapes, spot)
    found: dict[str, MapFact] = {}
    for n in np.argsort(distances, kind="stable").tolist():
        thing, distance = things[n], float(distances[n])
        if distance > radius_m:
            break
        if thing.key in found:
            continue
        inside = distance == 0.0
        line = shapely.shortest_line(spot, thing.shape)
        x, y = shapely.get_coordinates(thing.shape.centroid if inside else line)[-1] - (here.x, here.y)
        bearing = (float(np.degrees(np.arctan2(x, y))) - here.north_deg) % 360.0
        axis = axis_deg(thing.shape, here.x + x, here.y + y) if thing.kind == "road" else None
        found[thing.key] = MapFact(
            fact_id=f"{town.name}.{thing.key}",
            kind=thing.kind,
            category=thing.category,
            name=thing.name,
            name_en=None,
            distance_m=round(distance, 2),
            bearing_deg=round(bearing, 2) % 360.0,
            axis_deg=None if axis is None else round(axis - here.north_deg, 2) % 180.0,
        )
    return list(found.values())
