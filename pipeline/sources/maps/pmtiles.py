"""The map source of `type: pmtiles`: vector tiles of the Protomaps basemap in one archive."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import mercantile
import numpy as np
import shapely
from pmtiles.tile import TileType

from pipeline.cartography.features import Element, Feature, as_utc, features_of
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import PmtilesMap, with_flat_credits
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.crossings import check_meetings
from pipeline.geo.point import Floats
from pipeline.geo.window import Window, unwrapped
from pipeline.memo import LruMemo
from pipeline.net.base import Client, Provider
from pipeline.sources.archive import open_archive
from pipeline.sources.base import Road
from pipeline.sources.forbidden_hosts import INSTEAD, refusal
from pipeline.sources.listing import listing
from pipeline.sources.maps.cells import Cell, CellMap, cells_asked, tiles_of
from pipeline.sources.maps.charted import PROTOMAPS, of_layers
from pipeline.sources.maps.feature_map import VERSION as MAP_VERSION
from pipeline.sources.maps.feature_map import FeatureStore, Stated, roads_of
from pipeline.sources.maps.meetings import with_meetings
from pipeline.sources.maps.protomaps import LAYERS, id_of, tags_of
from pipeline.sources.maps.vector_tile import read_tile
from pipeline.sources.origins import address_faults, origin
from schemas.reasons import Reason
from schemas.records import FactKind

VERSION = 2
"""Raised whenever the same archive would give other features."""
_ZOOM = 15
_LEAST_ZOOM = 14
"""Below, streets are left out and buildings merged."""
_MOST_FEATURES = 100_000
_EVERYWHERE = Window(((-180.0, -90.0, 180.0, 90.0),))
_MOST_MEETINGS = 20_000
"""Maximum number of points where outlines of one feature's pieces meet. Where tiles overlap they share some dozen."""
_WRITTEN = "planetiler:osm:osmosisreplicationtime"
"""Where Protomaps' archives say how old their data is."""


class PmtilesMapSource(CellMap):
    """Facts, chips and roads from an archive. Threads may share it.

    Geometry is that of the archive's deepest zoom, at most 15 for the planet's: a grid of 0.3 m.
    """

    def __init__(self, name: str, config: PmtilesMap, regions: Sequence[Region], client: Client) -> None:
        """Check the settings; a local archive must be one of vector tiles. Nothing is asked over the network.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: a local archive that reaches none of them is refused.
            client: for an archive at an address.

        Raises:
            ConfigError: naming every setting that cannot be used.
        """
        stated = Stated.of(name, config)
        problems = [*stated.problems, *_problems(name, config)]
        if problems:
            raise ConfigError(problems)
        super().__init__(name, config, stated.extracted_at, _ZOOM)
        self._config = config
        self._archive = open_archive(config.archive, client.session(self.provider()) if _remote(config) else None)
        self._tiles: LruMemo[tuple[int, int, int], list[Feature]] = LruMemo(_MOST_FEATURES, len)
        if not _remote(config):
            try:
                self._check()
            except SiteError as error:
                raise ConfigError(
                    [Problem(f"sources.map.{name}.archive", error.detail, "PMTiles of vector tiles")]
                ) from error
            west, south, east, north = self._archive.header.bounds
            wanted = Window.of((region.bounds() for region in regions), 0.0)
            if regions and not wanted.meets(np.array(unwrapped(west, south, east, north))).any():
                found = f"tiles within {west:.4f}, {south:.4f}, {east:.4f}, {north:.4f} (west, south, east, north)"
                allowed = f"tiles that reach one of its regions ({', '.join(region.name for region in regions)})"
                raise ConfigError([Problem(f"sources.map.{name}.archive", found, allowed)])

    def fingerprint(self) -> str:
        """Digest of the archive's name and the settings; see `pipeline.sources.base.Source`."""
        settings = self._config.model_dump(mode="json", exclude={"rate"})
        return digest(MAP_VERSION, VERSION, with_flat_credits(settings))

    def roads(self, region: Region) -> Iterator[Road]:
        """The roads of a region, tile by tile, cut at the tiles' edges; see `pipeline.sources.base.HasRoads`."""
        zoom = self._check()
        for tile in tiles_of(region, zoom):
            for road in roads_of(self._tile((zoom, tile.x, tile.y)), region):
                yield replace(road, road_id=f"{road.road_id}@{zoom}/{tile.x}/{tile.y}")

    def charted(self) -> frozenset[FactKind]:
        """By the layers that the archive's metadata lists; see `pipeline.sources.base.MapSource`."""
        return of_layers(PROTOMAPS, self._layers())

    def provider(self) -> Provider:
        """The archive's host; see `pipeline.sources.base.Networked`. No request goes to a local file."""
        origins = (origin(self._config.archive),) if _remote(self._config) else ()
        return listing()["protomaps"].provider(origins, rate=self._config.rate)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """Upper estimate: for each cell its tile and eight around, and a directory."""
        return 10 * cells_asked(lat, lon, _ZOOM, imagery) if _remote(self._config) else 0

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """Tiles of the deepest zoom that is common, and a directory for each; see `pipeline.sources.base.Lists`."""
        return self.provider(), 2 * len(tiles_of(region, _ZOOM)) if _remote(self._config) else 0

    def probe(self, region: Region) -> str:
        """Read the header and look for the region in its bounds; see `pipeline.sources.base.Networked`."""
        zoom = self._check()
        lat, lon = region.middle()
        west, south, east, north = self._archive.header.bounds
        inside = "holds" if west <= lon <= east and south <= lat <= north else "does not hold"
        return f"{self._archive.name}: vector tiles to zoom {zoom}, {inside} the middle of {region.name}"

    def _check(self) -> int:
        """The zoom that is read."""
        header = self._archive.header
        if header.tile_type is not TileType.MVT or header.max_zoom < _LEAST_ZOOM:
            found = f"{header.tile_type.name} tiles to zoom {header.max_zoom}"
            raise SiteError(
                Reason.READ_FAILED, f"{self._archive.name} holds {found}; vector tiles to zoom {_LEAST_ZOOM} are needed"
            )
        layers = self._layers()
        if layers and not {"roads", "earth"} & set(layers):  # which OpenMapTiles, Shortbread and others have not
            found = (
                f"{self._archive.name} has layers of another schema than Protomaps' basemap: {', '.join(layers[:20])}"
            )
            raise SiteError(Reason.READ_FAILED, found)
        return header.max_zoom

    def _layers(self) -> list[str]:
        """The layers that the archive's metadata lists; none where it is silent."""
        layers = self._archive.metadata.get("vector_layers")
        listed = [layer.get("id") for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
        return [name for name in listed if isinstance(name, str)]

    def _read(self, cell: Cell) -> FeatureStore:
        zoom = self._check()
        if not _meets(self._archive.header.bounds, cell):
            raise SiteError(Reason.NO_OVERLAP, f"{self.name}: the archive ends before the site")
        pieces: dict[str, list[Feature]] = {}
        for tile in sorted({tile for box in cell.boxes() for tile in mercantile.tiles(*box, zooms=zoom)}):
            for feature in self._tile((zoom, tile.x, tile.y)):
                pieces.setdefault(feature.feature_id, []).append(feature)
        features = _within([_joined(found) for found in pieces.values()], Window(tuple(cell.boxes())))
        written = self._archive.metadata.get(_WRITTEN)
        date = as_utc(written) if isinstance(written, str) else None
        return FeatureStore(with_meetings(features), date, self._archive.name.rsplit("/", 1)[-1])

    def _tile(self, key: tuple[int, int, int]) -> list[Feature]:
        return self._tiles.get(key, lambda: self._read_tile(key))

    def _read_tile(self, key: tuple[int, int, int]) -> list[Feature]:
        data = self._archive.tile(*key)
        if data is None:
            return []
        left_out: Counter[str] = Counter()
        elements = [Element(id_of(t, *key), t.geometry, tags_of(t)) for t in read_tile(data, *key, LAYERS)]
        features = features_of(elements, _EVERYWHERE, left_out, self._trust(None))
        self._note(left_out)
        return features


def _within(features: Sequence[Feature], window: Window) -> list[Feature]:
    if not features:
        return []
    inside = window.meets(shapely.bounds([feature.geometry for feature in features]))
    return [feature for feature, meets in zip(features, inside, strict=True) if meets]


def _joined(pieces: Sequence[Feature]) -> Feature:
    """One feature of the pieces that tiles have of it.

    Raises:
        SiteError: BAD_ANSWER, the pieces take too much work.
    """
    if len(pieces) == 1 or pieces[0].shape == "point":  # a point is in one tile, be it there more than once
        return pieces[0]
    check_meetings([piece.geometry for piece in pieces], _MOST_MEETINGS, f"the pieces of {pieces[0].feature_id}")
    same = [piece.geometry for piece in pieces if piece.shape == pieces[0].shape]
    whole = shapely.union_all(same)
    return replace(pieces[0], geometry=shapely.line_merge(whole) if pieces[0].shape == "line" else whole)


def _meets(bounds: tuple[float, float, float, float], cell: Cell) -> bool:
    known = [shapely.box(*box) for box in unwrapped(*bounds)]
    return any(one.intersects(shapely.box(*box)) for one in known for box in cell.boxes())


def _remote(config: PmtilesMap) -> bool:
    return config.archive.startswith(("https://", "http://"))


def _problems(name: str, config: PmtilesMap) -> list[Problem]:
    where = f"sources.map.{name}.archive"
    refused = refusal(config.archive)
    if refused:
        return [Problem(where, refused, INSTEAD)]
    if _remote(config):
        return [Problem(where, found, allowed) for found, allowed in address_faults(config.archive)]
    if not Path(config.archive).is_file():
        return [Problem(where, f"{config.archive}, which is no file", "a .pmtiles file, or an https address")]
    return []
