"""Names as CVG-Text's code reads them, and what breaks it.

It reads the place off the start of a file's name, and calls a query a panorama where the *whole path* has two
underscores or more. It replaces `-mixed` in paths by nothing and by `-photos`. So:

- a panorama is `LAT,LON_YYYY-MM_ID_dYAW_zZOOM.png`, a single view `LAT,LON_ID.png`, its id without `_`;
- latitude and longitude are fixed-point (an exponent or a space breaks the pattern), eight decimals;
- no folder above has an underscore, and none is called `...-mixed`.
"""

import re
from datetime import datetime
from pathlib import Path

from pipeline.errors import ConfigError, Problem

PHOTOS = "-photos"
"""Ends the name of a version of single views."""


def check_root(folder: Path) -> None:
    """Refuse a folder that would make every query a panorama, or lead to another.

    Raises:
        ConfigError: with the whole path.
    """
    text = folder.as_posix()
    if "_" in text or "-mixed" in text:
        allowed = "a path without `_` and `-mixed`: CVG-Text's code tells panoramas by the one and replaces the other"
        raise ConfigError([Problem("OUT", text, allowed)])


def version_of(region: str) -> str:
    """The name of a region's version: `la-rochelle` is `LaRochelle`.

    A digit at the end is followed by `x`, for `Town` and its second version `Town2` are not the region `town-2`.
    """
    name = "".join(word[:1].upper() + word[1:] for word in re.split("[^A-Za-z0-9]+", region))
    return name + "x" if name[-1:].isdigit() else name


def coordinate(lat: float, lon: float) -> str:
    """`LAT,LON` with eight decimals, a millimetre."""
    return f"{lat:.8f},{lon:.8f}"


def panorama_name(lat: float, lon: float, taken: datetime | None, sample_id: str, yaw_deg: float | None) -> str:
    """Name of a sample with a panorama; month and heading are 0 where they are not known."""
    month = f"{taken.year:04d}-{taken.month:02d}" if taken else "0000-00"
    return f"{coordinate(lat, lon)}_{month}_{sample_id}_d{round(yaw_deg or 0) % 360}_z0.png"


def photo_name(lat: float, lon: float, sample_id: str) -> str:
    """Name of a sample with single views only."""
    return f"{coordinate(lat, lon)}_{sample_id}.png"
