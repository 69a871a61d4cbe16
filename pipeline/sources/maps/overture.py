"""The map source of `type: overture`: Overture Maps GeoParquet, from a bucket or a copy of one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.features import Element, Feature, features_of
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import Overture, with_flat_credits
from pipeline.digest import digest
from pipeline.errors import ConfigError, MachineError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.geo.window import Window
from pipeline.geo.wkb import read_wkb
from pipeline.memo import LruMemo
from pipeline.net.base import Client, Provider
from pipeline.sources.base import Road
from pipeline.sources.forbidden_hosts import INSTEAD, refusal
from pipeline.sources.listing import listing
from pipeline.sources.maps.bucket import Bucket, file_system, s3_verdict
from pipeline.sources.maps.cells import Cell, CellMap
from pipeline.sources.maps.charted import OVERTURE, of_layers
from pipeline.sources.maps.feature_map import VERSION as MAP_VERSION
from pipeline.sources.maps.feature_map import FeatureStore, Stated, roads_of
from pipeline.sources.maps.read_geo import elements_of
from pipeline.sources.maps.release import TYPES, Release
from pipeline.sources.origins import origin
from schemas.reasons import Reason
from schemas.records import FactKind

VERSION = 3
"""Raised whenever the same release would give other features."""
MARGIN_M = 1_100.0
"""Things this far outside a region are read: beyond the largest `map_radius_m`."""
_ZOOM = 15
NOWHERE = "without a place: neither a sound bbox nor a geometry"
_ORDER = ("xmin", "ymin", "xmax", "ymax")
_SIDES = frozenset(_ORDER)
_HELD_BYTES = 2_000_000_000
"""Maximum size of compact rows in one process."""


class OvertureSource(CellMap):
    """Facts, chips and roads from a release. Threads may share it.

    Of each region the rows are read once, when first needed, and held as Arrow tables, some 0.2 kB a building.
    Features are made of them a cell at a time.
    """

    def __init__(self, name: str, config: Overture, regions: Sequence[Region], client: Client) -> None:
        """Check the settings; a local folder must be there. Nothing is read.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: what is asked for later lies in one of them.
            client: for a release in a bucket.

        Raises:
            ConfigError: naming every setting that cannot be used.
        """
        stated = Stated.of(name, config)
        problems = [*stated.problems, *_problems(name, config)]
        self._config = config
        self._regions = {region.name: region for region in regions}
        if problems:
            raise ConfigError(problems)
        bucket = _bucket(config)
        files = file_system(client.session(self.provider()), bucket) if bucket else None
        self._release = Release(config.release.removeprefix("s3://"), files)
        super().__init__(name, config, stated.extracted_at or self._release.date, _ZOOM)
        if files is None:
            _check_folder(name, self._release)
        self._known_types: LruMemo[None, list[str]] = LruMemo(1)
        self._tables: LruMemo[tuple[str, str], pa.Table] = LruMemo(_HELD_BYTES, lambda table: int(table.nbytes))

    def fingerprint(self) -> str:
        """Digest of the release's name and the settings; see `pipeline.sources.base.Source`."""
        settings = self._config.model_dump(mode="json", exclude={"rate"})
        return digest(MAP_VERSION, VERSION, with_flat_credits(settings))

    def roads(self, region: Region) -> Iterator[Road]:
        """The roads of a region, by id; see `pipeline.sources.base.HasRoads`. Only the segments are read."""
        if "segment" not in self._types():
            return
        table = self._table((region.name, "segment"))
        yield from roads_of(self._features(table, "segment", Window.of([region.bounds()], 0.0)), region)

    def charted(self) -> frozenset[FactKind]:
        """By the types that the release has; see `pipeline.sources.base.MapSource`."""
        return of_layers(OVERTURE, self._types())

    def provider(self) -> Provider:
        """The bucket's host; see `pipeline.sources.base.Networked`. No request goes to a local copy."""
        bucket = _bucket(self._config)
        origins = (origin(bucket.address),) if bucket else ()
        return listing()["overture"].provider(origins, rate=self._config.rate, judge=s3_verdict)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - by region, not by site
        """Upper estimate of the ranges that are read: of each type some 100 footers and 20 row groups a region."""
        return len(TYPES) * 200 * len(self._regions) if _bucket(self._config) else 0

    def probe(self, region: Region) -> str:  # noqa: ARG002 - the release is the same for all
        """Look for the release's folders; see `pipeline.sources.base.Networked`."""
        date = self._extracted_at.date().isoformat() if self._extracted_at else "of an unknown date"
        return f"{self._release.shown}: {', '.join(self._types())}; {date}"

    def _area(self, point: Point) -> str:
        place = np.array([[point.lon, point.lat, point.lon, point.lat]])
        for region in self._regions.values():
            if Window.of([region.bounds()], 100.0).meets(place)[0]:
                return region.name
        raise SiteError(Reason.NO_OVERLAP, f"{self.name}: {point.lat:.6f}, {point.lon:.6f} lies in none of its regions")

    def _read(self, cell: Cell) -> FeatureStore:
        window = Window(tuple(cell.boxes()))
        found: dict[str, Feature] = {}
        for kind in self._types():
            for feature in self._features(self._table((cell.area, kind)), kind, window):
                found.setdefault(feature.feature_id, feature)
        return FeatureStore(list(found.values()), None, self._release.where.rsplit("/", 1)[-1])

    def _features(self, table: pa.Table, kind: str, window: Window) -> list[Feature]:
        """The features of a table that meet a window, in the table's order."""
        bounds = np.column_stack([table[side].to_numpy() for side in _ORDER])
        rows = table.take(np.flatnonzero(window.meets(bounds.astype(np.float64)))).to_pylist()
        geometries = read_wkb([row.pop("geometry") for row in rows])
        elements = [e for row, shape in zip(rows, geometries, strict=True) for e in _elements(row, kind, shape)]
        left_out: Counter[str] = Counter()
        features = features_of(elements, window, left_out, self._trust(None))
        self._note(left_out)
        return features

    def _types(self) -> list[str]:
        return self._known_types.get(None, self._release.types)

    def _table(self, key: tuple[str, str]) -> pa.Table:
        return self._tables.get(key, lambda: self._read_table(key))

    def _read_table(self, key: tuple[str, str]) -> pa.Table:
        area, kind = key
        window = Window.of([self._regions[area].bounds()], MARGIN_M)
        table, nowhere = _bounded(self._release.read(kind, window.boxes), window)
        self._note(Counter({NOWHERE: nowhere} if nowhere else {}))
        return table


def _bounded(table: pa.Table, window: Window) -> tuple[pa.Table, int]:
    """Rows that meet a window, bounded by their geometry where their `bbox` is unsound; and how many have neither."""
    bounds = np.column_stack([table[side].to_numpy().astype(np.float64) for side in _ORDER])
    west, south, east, north = bounds.T
    unsound = np.flatnonzero(~((west <= east) & (south <= north)))  # NaN, and so null, is neither
    if not unsound.size:
        return table, 0
    bounds[unsound] = shapely.bounds(read_wkb(table["geometry"].take(unsound).to_pylist()))
    for side, values in zip(_ORDER, bounds.T, strict=True):
        table = table.set_column(table.schema.get_field_index(side), side, pa.array(values))
    return table.take(np.flatnonzero(window.meets(bounds))), int(np.isnan(bounds).any(axis=1).sum())


def _elements(row: dict[str, Any], kind: str, geometry: BaseGeometry | None) -> list[Element]:
    known = {key: value for key, value in row.items() if value is not None and key not in _SIDES}
    known["names"] = {"primary": known.pop("name", None), "common": known.pop("common", None)}
    return elements_of(known | {"theme": TYPES[kind][0], "type": kind}, geometry, None)


def _bucket(config: Overture) -> Bucket | None:
    """Where a release lies that is not in a folder."""
    scheme, found, path = config.release.partition("://")
    if not found or scheme != "s3":
        return None
    return Bucket.at(path.partition("/")[0], config.s3_region, config.s3_endpoint)


def _problems(name: str, config: Overture) -> list[Problem]:
    where = f"sources.map.{name}"
    allowed = "a folder, or s3://bucket/prefix"
    scheme, found, path = config.release.partition("://")
    problems = []
    if refusal(config.release):
        problems.append(Problem(f"{where}.release", str(refusal(config.release)), INSTEAD))
    elif found and (scheme != "s3" or not path.strip("/")):
        problems.append(Problem(f"{where}.release", repr(config.release), allowed))
    if config.s3_endpoint and config.s3_endpoint.rstrip("/") != origin(config.s3_endpoint):
        problems.append(Problem(f"{where}.s3_endpoint", config.s3_endpoint, "https://host, without a path"))
    return problems


def _check_folder(name: str, release: Release) -> None:
    where = f"sources.map.{name}.release"
    if not Path(release.where).is_dir():
        raise ConfigError([Problem(where, f"{release.where}, which is no folder", "the folder of a release")])
    try:
        release.types()
    except MachineError as error:
        raise ConfigError([Problem(where, str(error), "the folder that holds theme=places and its like")]) from error
