"""Warnings: settings that are allowed in a build file, and yet may not be what its author wants."""

import numpy as np

from pipeline.config.build import Build, ocr_of
from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.geo.earth import haversine_km
from pipeline.perception.readable import scripts_of
from pipeline.regions.catalogue import catalogue

_NEAR_KM = 100.0
"""A region that is not of the catalogue is taken to have the script of the catalogue's nearest one within this."""
_SHOWN = 5


def unread_scripts(build: Build) -> list[str]:
    """Regions whose street signs are in a script that their OCR engine does not read, a line a script and engine."""
    if all(isinstance(street, WorldStreet) for street in build.sources.street.values()):
        return []  # its signs are in Latin script wherever its towns lie
    found: dict[tuple[str, str], list[str]] = {}
    for region in build.regions:
        script, engine = script_at(region), ocr_of(build, region)
        read = scripts_of(engine)
        if script is not None and read is not None and script not in read:
            found.setdefault((script, engine.engine), []).append(region.name)
    return [
        f"signs in {script}, which {engine} does not read as it is set, in {_some(names)}: name an engine that does "
        "under perception.ocr of the region"
        for (script, engine), names in found.items()
    ]


def script_at(region: Region) -> str | None:
    """ISO 15924 code of the script of a region's street signs; None if no region of the catalogue is near."""
    if region.catalogue is not None and region.catalogue in catalogue():
        return catalogue()[region.catalogue].script
    entries = list(catalogue().values())
    lat, lon = np.array([entry.lat for entry in entries]), np.array([entry.lon for entry in entries])
    here_lat, here_lon = (np.array([degrees]) for degrees in region.middle())
    away_km = haversine_km(lat, lon, here_lat, here_lon)
    nearest = int(away_km.argmin())
    return entries[nearest].script if away_km[nearest] <= _NEAR_KM else None


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more regions"
