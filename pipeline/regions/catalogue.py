"""The catalogue of 225 regions on all inhabited continents (`catalogue.csv`).

The first line of the file is its fingerprint: the version of the recipe that made it (`tools.dev.datafiles.catalogue`,
from GeoNames) and the SHA-256 of all lines that follow. A file that does not match is refused, so that an id means the
same place for everybody. The published CORE dataset also covers 225 regions, but does not say which; these were chosen
independently.
"""

import csv
import difflib
import hashlib
import io
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Name, Section
from pipeline.errors import MachineError
from schemas.records import Continent, Latitude, Longitude

PATH = Path(__file__).parent / "catalogue.csv"
RECIPE = 1
"""Version of the recipe whose catalogue this code reads."""
SIZE = 225
SOURCE = "GeoNames (https://www.geonames.org), CC-BY-4.0"
"""Credit for names, positions and populations."""

CONTINENTS: dict[Continent, str] = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
_FINGERPRINT = re.compile(r"# recipe (\d+), sha256 ([0-9a-f]{64})")


class Entry(Section):
    """A region of the catalogue: a circle around the centre of a city or town."""

    id: Name
    """Country and name, such as `jp-tokyo`."""
    geonameid: int
    name: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    """ISO 3166-1 alpha-2."""
    continent: Continent
    lat: Latitude
    lon: Longitude
    radius_m: Annotated[float, Field(gt=0)]
    population: int
    climate: Annotated[str, Field(pattern=r"^[A-E][A-Za-z]{1,2}$")]
    """Koeppen-Geiger class, such as `Cfa`; the first letter is the main group."""
    script: Annotated[str, Field(pattern=r"^[A-Z][a-z]{3}$")]
    """ISO 15924 code of the main script of street signs."""
    stratum: Literal["city", "town"]
    """`town`: a population of 50,000 to 500,000; `city`: more."""


def encode(entries: Sequence[Entry]) -> str:
    """The text of a catalogue file, with its fingerprint."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(Entry.model_fields)
    rows.writerows([value for _, value in entry] for entry in entries)
    body = out.getvalue()
    return f"# recipe {RECIPE}, sha256 {hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def decode(text: str, where: str) -> list[Entry]:
    """The entries of a catalogue file.

    Raises:
        MachineError: it is not a file that the recipe wrote.
    """
    head, _, body = text.partition("\n")
    found = _FINGERPRINT.fullmatch(head)
    mend = "the catalogue is part of the installation and is not edited: install geoscribe again, and put regions of "
    mend += "your own into the build file (centre and radius_m, bbox or polygon)"
    if found is None:
        raise MachineError(f"{where}: no fingerprint in its first line; {mend}")
    if int(found[1]) != RECIPE:
        raise MachineError(f"{where}: made by recipe {found[1]}, this version reads recipe {RECIPE}; {mend}")
    if hashlib.sha256(body.encode()).hexdigest() != found[2]:
        raise MachineError(f"{where}: its lines do not match the fingerprint in its first line; {mend}")
    return [Entry.model_validate(row) for row in csv.DictReader(body.splitlines())]


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Entry]:
    """All entries by id, in the order of the file.

    Raises:
        MachineError: the file is missing or was edited.
    """
    try:
        text = PATH.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{PATH} cannot be read ({error}): install geoscribe again") from error
    return {entry.id: entry for entry in decode(text, str(PATH))}


def continent_at(lat: float, lon: float) -> Continent:
    """The continent of the region nearest to a position (degrees), by great circle."""

    def cosine(entry: Entry) -> float:
        phi, other, turn = math.radians(lat), math.radians(entry.lat), math.radians(lon - entry.lon)
        return math.sin(phi) * math.sin(other) + math.cos(phi) * math.cos(other) * math.cos(turn)

    return max(catalogue().values(), key=cosine).continent


def nearest_ids(wanted: str) -> str:
    """Suggestions in place of an unknown id: the most similar ids, by id or name."""
    entries = catalogue()
    names = {entry.name.lower(): entry.id for entry in entries.values()} | {id_[3:]: id_ for id_ in entries}
    close = [*difflib.get_close_matches(wanted.lower(), entries, n=3, cutoff=0.75)]
    close += [names[name] for name in difflib.get_close_matches(wanted.lower(), names, n=3, cutoff=0.75)]
    hint = f" (did you mean {' or '.join(dict.fromkeys(close))}?)" if close else ""
    return f"an id of `geoscribe regions list`{hint}"
