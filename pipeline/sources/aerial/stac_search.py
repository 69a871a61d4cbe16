"""Searches a STAC API around a place, with pystac-client over our own network client.

Spec: https://github.com/radiantearth/stac-api-spec/tree/main/item-search (answers), stac-spec's item-spec and
common-metadata (items). Answers are read item by item, so that a bad one loses none beside it.
"""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field, field_validator
from pystac_client.item_search import ItemSearch
from pystac_client.stac_api_io import StacApiIO

from pipeline.errors import SiteError
from pipeline.memo import LruMemo
from pipeline.net.base import Request, Session
from pipeline.sources.aerial.remote_raster import joined
from pipeline.sources.origins import origin_of
from pipeline.sources.wire import Moment, Number, Text, Wire, each, parse
from schemas.reasons import Reason

CELL_DEG = 0.05
"""Searches are made for whole cells of this size, and a margin around them, so that neighbouring sites share one."""
_MARGIN_DEG = 0.01
_PAGE = 100
_MOST_PAGES = 20
_MOST_BYTES = 30_000_000
_KEPT = 256
_JSON = ("application/geo+json", "application/json")
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; west > east across the antimeridian."""


class Asset(Wire):
    """A file of an item."""

    href: Annotated[str, Field(max_length=4_000)]
    type: str | None = None

    def is_tiff(self) -> bool:
        """Whether it is said to be a GeoTIFF, or nothing is said and it is called one."""
        if self.type:
            return self.type.lower().startswith("image/tiff")
        return self.href.partition("?")[0].lower().endswith((".tif", ".tiff"))


class Party(Wire):
    """A maker or provider of something."""

    name: Text = ""
    roles: tuple[str, ...] = ()


class Properties(Wire):
    """An item's properties."""

    datetime: Moment = None
    start_datetime: Moment = None
    license: Text = ""
    gsd: Number = None
    cloud: Annotated[Number, Field(alias="eo:cloud_cover")] = None
    platform_type: Annotated[Text, Field(alias="oam:platform_type")] = ""
    producer: Annotated[Text, Field(alias="oam:producer_name")] = ""
    providers: tuple[Party, ...] = ()


class Item(Wire):
    """One scene."""

    id: Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v), Field(min_length=1, max_length=200)]
    collection: str | None = None
    bbox: list[float]
    properties: Properties
    assets: dict[str, Asset]

    @field_validator("bbox")
    @classmethod
    def _flat(cls, bbox: list[float]) -> list[float]:
        """Without heights, longitudes within [-180, 180]."""
        if len(bbox) == 6:
            bbox = [*bbox[:2], *bbox[3:5]]
        if len(bbox) != 4 or not (-90 <= bbox[1] <= bbox[3] <= 90) or not all(abs(x) <= 540 for x in bbox):
            raise ValueError("not west, south, east, north in degrees")
        if bbox[2] - bbox[0] >= 360:
            return [-180.0, bbox[1], 180.0, bbox[3]]
        west, east = (x if -180 <= x <= 180 else (x + 180) % 360 - 180 for x in (bbox[0], bbox[2]))
        return [west, bbox[1], east, bbox[3]]

    def taken(self) -> datetime | None:
        """When it was taken, or begun to be."""
        return self.properties.datetime or self.properties.start_datetime

    def meets(self, box: Box) -> bool:
        """Whether its bounds and a box have a point in common."""
        halves = [(mine, other) for mine in _halves(tuple(self.bbox)) for other in _halves(box)]
        return any(a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3] for a, b in halves)


class Collection(Wire):
    """A collection: the properties that its items inherit."""

    license: Text = ""
    providers: tuple[Party, ...] = ()


class _Link(Wire):
    rel: str
    href: str = ""
    method: Annotated[str | None, Field(pattern="^(GET|POST|get|post)$")] = None
    body: dict[str, Any] | None = None
    merge: bool | None = None


class _Page(Wire):
    features: list[Any]
    links: tuple[_Link, ...] = ()


@dataclass(frozen=True)
class Query:
    """The part of a search that is the same everywhere."""

    endpoint: str
    """Root of the API."""
    collections: tuple[str, ...]
    interval: str | None = None
    """STAC interval of dates."""


class Catalogue:
    """A STAC API and what it answered last. Threads may share it."""

    def __init__(self, session: Session, query: Query) -> None:
        """Ask nothing yet."""
        self._session = session
        self._query = query
        self._root = query.endpoint.rstrip("/")
        self._cells: LruMemo[tuple[int, int, int], list[Item]] = LruMemo(_KEPT)
        self._collections: LruMemo[str, Collection] = LruMemo(_KEPT)

    def around(self, box: Box) -> list[Item]:
        """The items whose bounds meet a box, newest first, ties by id; those without a date last.

        Raises:
            SiteError: BAD_ANSWER where the API answers against its specification, UNSAFE_ADDRESS where it sends on to
                another host, or a reason of the network.
        """
        west, south, east, north = box
        width, height = (east - west) % 360, north - south
        column, row = math.floor((west + width / 2) / CELL_DEG), math.floor((south + height / 2) / CELL_DEG)
        margins = math.ceil(max(width, height) / 2 / _MARGIN_DEG)
        items = self._cells.get((column, row, margins), lambda: self._search(_grown(column, row, margins)))
        return [item for item in items if item.meets(box)]

    def collection(self, name: str) -> Collection:
        """The properties that a collection states for all its items.

        Raises:
            SiteError: a reason of the network.
        """
        return self._collections.get(name, lambda: self._collection(name))

    def link(self, item: Item) -> str:
        """Where an item is described."""
        return f"{self._root}/collections/{quote(item.collection or '', safe='')}/items/{quote(item.id, safe='')}"

    def _collection(self, name: str) -> Collection:
        url = f"{self._root}/collections/{quote(name, safe='')}"
        answer = self._session.fetch(Request(url, accept=_JSON, max_bytes=_MOST_BYTES, cache="validated"))
        return parse(answer.body, Collection, url)

    def _search(self, box: Box) -> list[Item]:
        found: dict[str, Item] = {}
        for half in _halves(box):
            for features in self._pages(half):
                for item in each(features, Item, self._root):
                    found.setdefault(f"{item.collection}/{item.id}", item)
        dated = sorted(found.items(), key=lambda pair: pair[0])
        return [item for _, item in sorted(dated, key=lambda pair: -_seconds(pair[1].taken()))]

    def _pages(self, box: Box) -> list[list[Any]]:
        search = ItemSearch(
            f"{self._root}/search",
            method="GET",
            collections=list(self._query.collections),
            bbox=box,
            datetime=self._query.interval,
            limit=_PAGE,
            stac_io=_Pages(self._session, self._root),
        )
        return [page["features"] for page in search.pages_as_dicts()]


class _Pages(StacApiIO):
    """One search's way to the network: what pystac-client would fetch itself goes through our client."""

    def __init__(self, session: Session, root: str) -> None:
        super().__init__(max_retries=None)
        self._ours = session
        self._root = root
        self._asked: set[Request] = set()
        self._last = root

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,  # noqa: ARG002 - what a page wants sent is not sent
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """The text of a page.

        Raises:
            SiteError: BAD_ANSWER for a page that was asked for before, or too many; UNSAFE_ADDRESS for another host.
        """
        if origin_of(href) != origin_of(self._root):
            raise SiteError(Reason.UNSAFE_ADDRESS, f"{self._root}: its next page is at {origin_of(href)}")
        if (method or "GET").upper() == "POST":
            body = json.dumps(parameters or {}, sort_keys=True).encode()
            request = Request(href, method="POST", body=body, content_type="application/json", accept=_JSON)
        else:
            params = tuple(sorted((name, str(value)) for name, value in (parameters or {}).items()))
            request = Request(href, params, accept=_JSON, max_bytes=_MOST_BYTES, cache="validated")
        if request in self._asked:
            raise SiteError(Reason.BAD_ANSWER, f"{self._root}: its pages lead back to one that was read")
        if len(self._asked) == _MOST_PAGES:
            found = f"more than {_MOST_PAGES * _PAGE} items around one place; narrow it down (datetime, collections)"
            raise SiteError(Reason.BAD_ANSWER, f"{self._root}: {found}")
        self._asked.add(request)
        self._last = href
        return self._ours.fetch(request).body.decode("utf-8", "replace")

    def json_loads(self, txt: str, *_args: Any, **_more: Any) -> dict[str, Any]:
        """A page, of which no more is left than items and a whole link to the next one."""
        page = parse(txt.encode(), _Page, self._root)
        following = [link for link in page.links if link.rel == "next"][:1]
        links = [{**link.model_dump(exclude_none=True), "href": joined(self._last, link.href)} for link in following]
        return {"features": page.features, "links": links}


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else -math.inf


def _grown(column: int, row: int, margins: int) -> Box:
    """A cell with a margin around it."""
    west, south = (round(i * CELL_DEG - margins * _MARGIN_DEG, 6) for i in (column, row))
    side = round(CELL_DEG + 2 * margins * _MARGIN_DEG, 6)
    east, north = round(west + side, 6), round(south + side, 6)
    if side >= 360:
        west, east = -180.0, 180.0
    return (
        west + 360 if west < -180 else west,
        max(south, -90.0),
        east - 360 if east > 180 else east,
        min(north, 90.0),
    )


def _halves(box: Any) -> list[Box]:
    """The box, or its two parts where it crosses the antimeridian."""
    west, south, east, north = box
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]
