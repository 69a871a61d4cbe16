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

_WGS84 = frozenset({"World Geodetic System 1984", "World Geodetic System 1984 ensemble"})
_ACCURACY_M = {"China 2000": 1.0}
"""Distance from WGS 84 of datums to which PROJ's tables have no operation, metres.

CGCS2000 (China 2000, EPSG:1043) is ITRF97 at epoch 2000.0. It stays with the continent, which moves 3 to 4 cm a year.
"""
_GO_ON = ("Popular Visualisation Pseudo Mercator", "Mercator (variant", "Equidistant Cylindrical")
"""How the names of methods begin whose x goes on evenly around the earth."""


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
    def shifts(self) -> bool:
        """Whether it brings an operation to WGS 84 that moves anything."""
        return bool(self.whole.is_bound and any(self.whole.coordinate_operation.towgs84 or [1.0]))

    @property
    def ellipsoid(self) -> tuple[float, float]:
        """Semi-major axis in metres and inverse flattening, to the digits that tell WGS 84 from GRS 80."""
        return round(self.base.ellipsoid.semi_major_metre, 1), round(self.base.ellipsoid.inverse_flattening, 6)

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
def datum_accuracy_m(crs: str, lon: float, lat: float) -> float | None:
    """Accuracy of the operation that `from_degrees` uses at a place, metres, as the EPSG registry states it.

    None where nobody states one: the file brings an operation of its own, or PROJ knows none and shifts nothing.

    Raises:
        CRSError, ProjError: the system cannot be related to WGS 84 at all.
    """
    system, accuracy = _system(crs), float(_used(from_degrees(crs), lon, lat).accuracy)
    if accuracy >= 0 and not system.whole.is_bound:
        return accuracy
    return None if system.shifts else _ACCURACY_M.get(system.base.datum.name)


@lru_cache(maxsize=4096)
def datum_fault(crs: str, lon: float, lat: float, limit_m: float | None) -> tuple[str, str] | None:
    """Why imagery in a coordinate system may not be used at a place: what was found, and what is allowed.

    Systems that move with a continent (NAD83, GDA2020) are within some decimetres to 2 m of WGS 84, and no grid brings
    them within 1 m by their stated accuracy: whoever uses them says so. The same holds for a datum on GRS 80 that is
    unnamed, or to which PROJ knows no operation: it may be any of those. An unnamed one on the ellipsoid of WGS 84 is
    WGS 84.

    Args:
        crs: WKT or authority code.
        lon: Degrees.
        lat: Degrees.
        limit_m: Coarser operations are refused, as are those that a file brings itself; None: any will do.

    Raises:
        CRSError, ProjError: as `datum_accuracy_m`.
    """
    system, accuracy = _system(crs), datum_accuracy_m(crs, lon, lat)
    name = f"coordinate system {system.own.name}"
    if accuracy is None and system.ellipsoid == _system("OGC:CRS84").ellipsoid and not system.shifts:
        return None
    on_grs80 = system.ellipsoid == _system("EPSG:4258").ellipsoid
    if accuracy is None and not system.whole.is_bound and not on_grs80:
        return f"{name}, whose datum is unknown", "one that leads to WGS 84"
    if limit_m is None or (accuracy is not None and accuracy <= limit_m):
        return None
    accept = f"`max_datum_error_m: {'null' if accuracy is None else f'{accuracy:g}'}` accepts it"
    if accuracy is None:
        return f"{name}, with an operation to WGS 84 of unknown accuracy", f"within {limit_m:g} m: {accept}"
    best_m, grids = _missing_grids(system, lon, lat, accuracy)
    if best_m <= limit_m:
        how = "; ".join(f"pyproj sync --file {grid}" for grid in grids)
        accept = f"install {' and '.join(grids)} in {get_user_data_dir()} ({how}); without, {accept}"
    else:
        mend = f" (at best within {best_m:g} m, by {' and '.join(grids)})" if grids else ""
        accept = f"no shift grid brings it there{mend}; {accept}"
    return f"{name}, which can be brought to WGS 84 within {accuracy:g} m only", f"within {limit_m:g} m: {accept}"


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


def _missing_grids(system: _System, lon: float, lat: float, accuracy_m: float) -> tuple[float, list[str]]:
    """Accuracy in metres of the best operation that would be better, were its shift grids installed, and their names.

    Infinite, and none, where there is no such operation.
    """
    here = AreaOfInterest(lon, lat, lon, lat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the missing grids: they are what is asked for
        group = TransformerGroup(system.own, "OGC:CRS84", always_xy=True, area_of_interest=here)
    lacking: list[Any] = [one for one in group.unavailable_operations if 0 <= one.accuracy < accuracy_m]
    best = min(lacking, key=lambda one: one.accuracy, default=None)
    if best is None:
        return math.inf, []
    return best.accuracy, [grid.short_name for grid in best.grids if not grid.available]
