"""The map source of `type: overpass`: OpenStreetMap through an Overpass server, a cell at a time."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.cartography.classes import KEYS
from pipeline.cartography.features import Feature, features_of
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import Overpass, with_flat_credits
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Floats
from pipeline.geo.window import Box, Window
from pipeline.net.base import Client, Provider, Request, Verdict
from pipeline.net.status import by_status
from pipeline.sources.forbidden_hosts import INSTEAD, refusal
from pipeline.sources.listing import listing
from pipeline.sources.maps.cells import Cell, CellMap, cells_asked, tiles_of
from pipeline.sources.maps.charted import OSM
from pipeline.sources.maps.feature_map import VERSION as MAP_VERSION
from pipeline.sources.maps.feature_map import FeatureStore, Stated
from pipeline.sources.maps.read_overpass import read_overpass
from pipeline.sources.origins import address_faults, origin
from schemas.reasons import Reason
from schemas.records import FactKind

VERSION = 1
"""Raised whenever the same answers would give other features."""
_ZOOM = 14
"""Cells of some 4 km2 in the middle latitudes: few requests, answers of some megabytes."""
_TIMEOUT_S = 90
_MAXSIZE = 256 * 2**20
"""Limits of a query on the server: seconds and bytes. More than it needs makes it wait for a free place."""
_MOST_BYTES = 100_000_000
_FORM = "application/x-www-form-urlencoded"


class _Base(BaseModel):
    """State of the data that the response is made from."""

    model_config = ConfigDict(extra="ignore")

    timestamp_osm_base: str | None = None


class _Reply(BaseModel):
    """An answer, as https://dev.overpass-api.de/output_formats.html documents it."""

    model_config = ConfigDict(extra="ignore")

    elements: list[Any]
    osm3s: _Base = _Base()
    remark: str | None = None


class OverpassSource(CellMap):
    """Facts, chips and roads from an Overpass server. Threads may share it.

    Answers stay in the network's cache for good, so that a build that goes on has one map; each says its own date. What
    encloses a whole cell without a border in it (a forest, a lake) is in none.
    """

    def __init__(self, name: str, config: Overpass, regions: Sequence[Region], client: Client) -> None:
        """Check the settings. Nothing is asked.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: not looked at: cells are read where they are asked for.
            client: what asks.

        Raises:
            ConfigError: naming every setting that cannot be used.
        """
        del regions
        stated = Stated.of(name, config)
        refused = refusal(config.endpoint)
        where = f"sources.map.{name}.endpoint"
        problems = [*stated.problems, *([Problem(where, refused, INSTEAD)] if refused else [])]
        problems += [Problem(where, found, allowed) for found, allowed in address_faults(config.endpoint)]
        if problems:
            raise ConfigError(problems)
        super().__init__(name, config, stated.extracted_at, _ZOOM)
        self._config = config
        self._session = client.session(self.provider())

    def fingerprint(self) -> str:
        """Digest of the server and the settings; see `pipeline.sources.base.Source`."""
        settings = self._config.model_dump(mode="json", exclude={"rate"})
        return digest(MAP_VERSION, VERSION, with_flat_credits(settings))

    def charted(self) -> frozenset[FactKind]:
        """All that OSM has: every kind is asked for."""
        return OSM

    def provider(self) -> Provider:
        """The server; see `pipeline.sources.base.Networked`."""
        return listing()["overpass"].provider((origin(self._config.endpoint),), rate=self._config.rate, judge=judge)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """One for each cell."""
        return cells_asked(lat, lon, _ZOOM, imagery)

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """One for each cell; see `pipeline.sources.base.Lists`."""
        return self.provider(), len(tiles_of(region, _ZOOM))

    def probe(self, region: Region) -> str:
        """Ask for the streets within 50 m of the region's middle; see `pipeline.sources.base.Networked`."""
        lat, lon = region.middle()
        text = f"[out:json][timeout:25];way[highway](around:50,{lat:.6f},{lon:.6f});out ids;"
        reply = self._ask(text, cache="never")
        date = reply.osm3s.timestamp_osm_base or "an unknown time"
        streets = f"{len(reply.elements)} streets at the middle of {region.name}"
        return f"{self._config.endpoint}: data of {date}, {self._config.credits.licence}, {streets}"

    def _read(self, cell: Cell) -> FeatureStore:
        boxes = cell.boxes()
        left_out: Counter[str] = Counter()
        found: dict[str, Feature] = {}
        dates: list[datetime] = []
        for box in boxes:
            reply = self._ask(query(box), cache="immutable")
            try:
                extract = read_overpass(Path("answer"), reply.model_dump())
                trust = self._trust(extract.extracted_at)
                features = features_of(extract.elements, Window(tuple(boxes)), left_out, trust)
            except ConfigError as error:
                raise SiteError(Reason.BAD_ANSWER, f"{self.name}: {error.problems[0].found}") from error
            dates += [extract.extracted_at] if extract.extracted_at else []
            for feature in features:
                found.setdefault(feature.feature_id, feature)
        self._note(left_out)
        return FeatureStore(list(found.values()), min(dates, default=None), f"overpass/{cell.zoom}/{cell.x}/{cell.y}")

    def _ask(self, text: str, cache: Any) -> _Reply:
        answer = self._session.fetch(
            Request(
                self._config.endpoint,
                method="POST",
                body=urlencode({"data": text}).encode(),
                content_type=_FORM,
                max_bytes=_MOST_BYTES,
                cache=cache,
                cache_key=f"{self._config.endpoint} {hashlib.sha256(text.encode()).hexdigest()}",
            )
        )
        try:
            return _Reply.model_validate(json.loads(answer.body, parse_constant=_refuse))
        except (ValueError, RecursionError, ValidationError) as error:
            raise SiteError(Reason.BAD_ANSWER, f"{self.name}: no Overpass JSON ({str(error)[:200]})") from error


def query(box: Box) -> str:
    """The query for a box: all that `classes.KEYS` names, with geometry."""
    west, south, east, north = box
    wanted = "".join(f'nwr["{key}"];' for key in KEYS)
    bounds = f"{south:.6f},{west:.6f},{north:.6f},{east:.6f}"
    return f"[out:json][timeout:{_TIMEOUT_S}][maxsize:{_MAXSIZE}][bbox:{bounds}];({wanted});out body geom qt;"


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interpret an answer of an Overpass server.

    It says 429 and 504, with HTML, when it has no free place; that a query was broken off it says in a `remark` at the
    end of an answer that looks whole.
    """
    if status == 400:
        return Verdict("final", Reason.BAD_ANSWER, f"the query was not understood: {_words(body)}")
    if status != 200:
        verdict = by_status(status, headers, body)
        return Verdict(verdict.kind, verdict.reason, _words(body))
    if body.lstrip()[:1] != b"{":
        return Verdict("again", Reason.SERVER_ERROR, f"no JSON but: {_words(body)}")
    remark = re.search(rb'"remark"\s*:\s*"([^"]*)"', body[-2_000:])
    if remark is None or b"error" not in remark[1]:
        return Verdict("ok")
    if b"out of memory" in remark[1]:
        return Verdict("final", Reason.ANSWER_TOO_LARGE, _words(remark[1]))
    return Verdict("again", Reason.SERVER_ERROR, _words(remark[1]))


def _words(body: bytes) -> str:
    """The text of an HTML or plain text body, in a line."""
    text = re.sub(r"<(style|head)\b.*?</\1>|<[^>]*>", " ", body[:20_000].decode("utf-8", "replace"), flags=re.DOTALL)
    return " ".join(text.split())[:200]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
