"""`stac`: a SpatioTemporal Asset Catalog, as stac-geoparquet (stac-geoparquet.org) reads it.

items.parquet      an item a sample: footprint, dates, pictures as assets with licence and author
collection.json    what they are together
assets/ID-street.jpg
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import ConfigError, Problem
from pipeline.publishing.samples import Role
from schemas.records import ChipInfo, Sample, StreetInfo
from tools.export.base import Export, Target, named_pictures, suffix

_VERSION = "1.1.0"
_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
_ROLES: dict[Role, list[str]] = {"map": ["overview"]}
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Begins the interval of a sample whose pictures all have no date: STAC asks for a time of everything."""
_AT_ONCE = 1_000


class Stac(Export):
    """A catalogue of items with pictures as assets."""

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write pictures as they come, the items a batch at a time, and the collection."""
        try:
            from stac_geoparquet.arrow import parse_stac_items_to_parquet
        except ImportError as error:
            allowed = "an installation with the extra `export`: pip install 'geoscribe[export]'"
            raise ConfigError([Problem("export", f"no stac-geoparquet ({error})", allowed)]) from error
        extent = _Extent()

        def items() -> Iterator[dict[str, Any]]:
            for sample in samples:
                item = self._item(sample, target)
                extent.add(item)
                target.take(sample, self.roles)
                yield item

        path = target.folder / "items.parquet"
        parse_stac_items_to_parquet(items(), output_path=path, chunk_size=_AT_ONCE, schema="FullFile")
        collection = {
            "type": "Collection",
            "stac_version": _VERSION,
            "id": target.manifest.name,
            "description": f"Revision {target.manifest.digest} of the dataset {target.manifest.name}. "
            "Licence and author of each picture stand with its asset.",
            "license": "other",
            "extent": extent.extent(),
            "links": [],
            "assets": {
                "items": {
                    "href": "./items.parquet",
                    "type": "application/vnd.apache.parquet",
                    "roles": ["collection-mirror"],
                }
            },
        }
        target.write("collection.json", json.dumps(collection, indent=1).encode())

    def _item(self, sample: Sample, target: Target) -> dict[str, Any]:
        assets, dates = {}, []
        for name, role, image, info in named_pictures(sample, self.roles):
            path = f"assets/{sample.sample_id}-{name}{suffix(image)}"
            target.write(path, image.bytes)
            assets[name] = {
                "href": f"./{path}",
                "type": _TYPES[suffix(image)],
                "roles": _ROLES.get(role, ["data"]),
                "license": info.licence,
                "author": info.author,
                "source": info.link,
                "gsd": info.gsd_m if isinstance(info, ChipInfo) else None,
                "bearing_deg": info.bearing_deg if isinstance(info, ChipInfo) else None,
                "heading_deg": info.heading_deg if isinstance(info, StreetInfo) else None,
            }
            if info.captured_at is not None:
                dates.append(info.captured_at)
        first, last = (min(dates), max(dates)) if dates else (_EARLIEST, target.manifest.created_at)
        box = _footprint(sample)
        west, south, east, north = box
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {
            "type": "Feature",
            "stac_version": _VERSION,
            "stac_extensions": [],
            "id": sample.sample_id,
            "collection": target.manifest.name,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": list(box),
            "properties": {
                "datetime": _text(first) if first == last else None,
                "start_datetime": _text(first),
                "end_datetime": _text(last),
                "description": sample.description,
                "geoscribe:split": sample.split,
                "geoscribe:region": sample.region,
                "geoscribe:licence_class": sample.licence_class,
                "geoscribe:lat": sample.lat,
                "geoscribe:lon": sample.lon,
            },
            "links": [],
            "assets": assets,
        }


def _footprint(sample: Sample) -> tuple[float, float, float, float]:
    """West, south, east, north of the chip; of the place alone where there is no chip (a polygon without extent)."""
    chip = sample.aerial_chip or sample.map_chip
    return (chip.west, chip.south, chip.east, chip.north) if chip else (sample.lon, sample.lat, sample.lon, sample.lat)


def _text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Extent:
    """The box and the interval of items."""

    def __init__(self) -> None:
        self._boxes: list[float] | None = None
        self._first: str | None = None
        self._last: str | None = None

    def add(self, item: dict[str, Any]) -> None:
        """Widen it by an item."""
        west, south, east, north = item["bbox"]
        held = self._boxes or [west, south, east, north]
        self._boxes = [min(held[0], west), min(held[1], south), max(held[2], east), max(held[3], north)]
        start, end = item["properties"]["start_datetime"], item["properties"]["end_datetime"]
        self._first = min(self._first or start, start)
        self._last = max(self._last or end, end)

    def extent(self) -> dict[str, Any]:
        """As a collection says it."""
        return {"spatial": {"bbox": [self._boxes]}, "temporal": {"interval": [[self._first, self._last]]}}
