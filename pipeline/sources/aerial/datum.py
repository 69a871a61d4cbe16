"""From a raster's coordinate system to WGS 84 and back: the operation that is used, how accurate it is, what it lacks.

pyproj does it all. GDAL, which has a PROJ and a set of shift grids of its own, is only asked to warp within one datum.
"""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import AzimuthalEquidistantConversion
from pyproj.datadir import get_user_data_dir  # type: ignore[attr-defined]  # documented, though not in its __all__
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import AreaOfInterest, TransformerGroup

from pipeline.geo.frame import LocalFrame

LEAST_ACCURACY_M = 1.0
"""A coarser operation moves what a chip shows against the map and the photos."""
_WGS84 = frozenset({"World Geodetic System 1984", "World Geodetic System 1984 ensemble"})
_GO_ON = ("Popular Visualisation Pseudo Mercator", "Mercator (variant", "Equidistant Cylindrical")
"""How the names of methods begin whose x goes on evenly around the earth."""
_NO_SHIFT_DEG = 1e-9
"""A tenth of a millimetre."""


@dataclass(frozen=True)
class Way:
    """The operation between a coordinate system and WGS 84 at some place."""

    accuracy_m: float | None
    """As the EPSG registry states it; None where nobody does: the file brings an operation of its own, or an unknown
    datum on the ellipsoid of WGS 84 is taken for that."""
    fault: tuple[str, str] | None
    """Why it may not be used: what was found, and what is allowed."""


@dataclass(frozen=True)
class _System:
    """A coordinate system taken apart; in pyproj's types all is optional that some kind of system lacks."""

    whole: Any
    """Without heights."""
    own: Any
    """Without an operation to WGS 84 that it brings itself."""
    base: Any
    """Geographic, on the same datum."""
    unit_deg: float
    """Unit of the base's longitudes and latitudes, degrees."""
    meridian_deg: float
    """The base's prime meridian, east of Greenwich."""

    @property
    def ellipsoid(self) -> tuple[float, float]:
        """Semi-major axis in metres and inverse flattening, to the digits in which GRS 80 and WGS 84 agree."""
        return round(self.base.ellipsoid.semi_major_metre, 1), round(self.base.ellipsoid.inverse_flattening, 3)

    def in_base(self, x: float, y: float) -> tuple[float, float]:
        """Longitude from the own prime meridian, and latitude, on the own datum, degrees."""
        lon, lat = Transformer.from_crs(self.own, self.base, always_xy=True).transform(x, y)
        return lon * self.unit_deg, lat * self.unit_deg


@lru_cache(maxsize=256)
def _system(crs: str) -> _System:
    """Take a system apart.

    Raises:
        CRSError: it has no datum.
    """
    given: Any = CRS.from_user_input(crs)
    whole = given.sub_crs_list[0] if given.is_compound else given
    own = whole.source_crs if whole.is_bound else whole
    base = own.geodetic_crs
    if base is None:
        raise CRSError(f"{own.name} has no datum")
    meridian = base.prime_meridian
    unit_deg = math.degrees(base.axis_info[0].unit_conversion_factor)
    return _System(whole, own, base, unit_deg, meridian.longitude * math.degrees(meridian.unit_conversion_factor))


@lru_cache(maxsize=256)
def from_degrees(crs: str) -> Transformer:
    """From WGS 84 longitude and latitude to x and y (east and north, whatever order the system itself has)."""
    return Transformer.from_crs("OGC:CRS84", CRS.from_user_input(crs), always_xy=True)


@lru_cache(maxsize=4096)
def way(crs: str, lon: float, lat: float) -> Way:
    """The operation that `from_degrees` uses at a place.

    One coarser than 1 m is at fault, unless it uses a shift grid (then it is the best that there is) or shifts nothing:
    systems that move with a continent (NAD83, GDA2020) are within some decimetres to 2 m of WGS 84, which no grid
    mends.

    Raises:
        CRSError, ProjError: the system cannot be related to WGS 84 at all.
    """
    system = _system(crs)
    used = _used(from_degrees(crs), lon, lat)
    accuracy = used.accuracy if used.accuracy >= 0 else None
    if system.whole.is_bound or (accuracy is not None and accuracy <= LEAST_ACCURACY_M):
        return Way(accuracy, None)
    name = f"coordinate system {system.own.name}"
    if accuracy is None and system.ellipsoid != _system("OGC:CRS84").ellipsoid:
        return Way(None, (f"{name}, whose datum is unknown", "one that leads to WGS 84"))
    gridded = any(step.grids for step in used.operations or ())
    if accuracy is None or gridded or _shift_deg(system, crs, lon, lat) < _NO_SHIFT_DEG:
        return Way(accuracy, None)
    mend = "reproject it by its publisher's own transformation"
    grids = _missing_grids(system, lon, lat, accuracy)
    if grids:
        how = "; ".join(f"pyproj sync --file {grid}" for grid in grids)
        mend = f"install {' and '.join(grids)} in {get_user_data_dir()} ({how})"
    found = f"{name}, which can be brought to WGS 84 within {accuracy:g} m only"
    return Way(accuracy, (found, f"within {LEAST_ACCURACY_M:g} m: {mend}"))


@lru_cache(maxsize=256)
def once_around(crs: str) -> float | None:
    """How far x is once around the earth; None in a system where it does not go on."""
    system = _system(crs)
    if system.own.is_geographic:
        return 360.0 / system.unit_deg
    method = getattr(system.own.coordinate_operation, "method_name", "")
    if not method.startswith(_GO_ON):
        return None
    x, _ = from_degrees(crs).transform(np.array([0.0, 1.0, 90.0, 91.0, 170.0, 171.0]), np.zeros(6))
    return float(360.0 * np.median(np.diff(x)[::2]))


def frames(crs: str, frame: LocalFrame) -> tuple[str, str]:
    """A raster's system and a local frame on one datum, for GDAL to warp between without shifting anything.

    For WGS 84 the frame is the site's own. For another datum it is the same frame around the same place, on that datum;
    the datums' scales and axes differ by less than 1e-4, some millimetres within a chip.
    """
    system = _system(crs)
    if system.base.datum.name in _WGS84:
        return crs, frame.crs
    lon, lat = system.in_base(*from_degrees(crs).transform(frame.lon, frame.lat))
    local = ProjectedCRS(conversion=AzimuthalEquidistantConversion(lat, lon), geodetic_crs=system.base)
    return system.own.to_wkt(), local.to_wkt()


def _used(transformer: Transformer, lon: float, lat: float) -> Any:
    """The one of a transformer's operations that it chooses for a place."""
    transformer.transform(lon, lat)
    try:
        return transformer.get_last_used_operation()
    except ProjError:  # there is nothing to choose, nor to do
        return transformer


def _shift_deg(system: _System, crs: str, lon: float, lat: float) -> float:
    """Between a place's coordinates on WGS 84 and on a system's own datum."""
    own_lon, own_lat = system.in_base(*from_degrees(crs).transform(lon, lat))
    return max(abs((own_lon + system.meridian_deg - lon + 180.0) % 360.0 - 180.0), abs(own_lat - lat))


def _missing_grids(system: _System, lon: float, lat: float, accuracy_m: float) -> list[str]:
    """Names of the shift grids of the best operation that would be more accurate, were they installed."""
    here = AreaOfInterest(lon, lat, lon, lat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the missing grids: they are what is asked for
        group = TransformerGroup(system.own, "OGC:CRS84", always_xy=True, area_of_interest=here)
    lacking: list[Any] = [one for one in group.unavailable_operations if 0 <= one.accuracy < accuracy_m]
    best = min(lacking, key=lambda one: one.accuracy, default=None)
    return [] if best is None else [grid.short_name for grid in best.grids if not grid.available]
