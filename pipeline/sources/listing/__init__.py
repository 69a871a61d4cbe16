"""The list of public sources: area, licence, limits, and when that was last checked.

One YAML file a kind. It is configuration under version control, because providers change their terms and limits:
`checked_on` says how old a statement is, `geoscribe sources check` asks the source itself.
"""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from pipeline.config.base import Name, Section
from pipeline.config.sources import EnvName, Rate, SourceKind, Url
from pipeline.net.base import Judge, Key, Provider

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


class Tiles(Section):
    """How an aerial source's tiles are addressed; see `pipeline.config.sources.XyzSource`."""

    template: str
    max_zoom: Annotated[int, Field(ge=1, le=24)]
    tile_px: Literal[256, 512] = 256
    subdomains: list[str] = []
    blank_sha256: list[str] = []


class Listed(Section):
    """One public source."""

    name: Name
    kind: SourceKind
    title: str
    area: str
    """In words."""
    boxes: list[Box] = []
    """Where it has imagery; empty: anywhere."""
    author: str | None = None
    licence: str
    """SPDX identifier or LicenseRef-...; in words where each picture states its own."""
    terms: Url
    """Page with the licence or the terms of use."""
    key_env: EnvName | None = None
    per_s: float
    at_once: int
    per_day: int | None = None
    documented_api: bool = True
    wants_contact: bool = False
    checked_on: date
    checked: Literal["documented", "tested", "unchecked"]
    """How the limits and the licence are known."""
    refused: str | None = None
    """Why it is not used: its terms. A source's `separate_agreement` lifts it."""
    hosts: list[str] = []
    """Hosts of a refused source beside that of its tiles, `*` for any characters; each with its subdomains."""
    notes: str = ""
    tiles: Tiles | None = None

    def provider(
        self, origins: tuple[str, ...], *, rate: Rate | None = None, key: Key | None = None, judge: Judge | None = None
    ) -> Provider:
        """Its limits as the network client wants them; `rate` in place of what is listed."""
        return Provider(
            name=self.name,
            origins=origins,
            per_s=rate.per_s if rate else self.per_s,
            at_once=rate.at_once if rate else self.at_once,
            per_day=rate.per_day if rate else self.per_day,
            documented_api=self.documented_api,
            wants_contact=self.wants_contact,
            key=key,
            judge=judge,
        )


@cache
def listing() -> dict[str, Listed]:
    """All listed sources by name, kind by kind.

    Raises:
        ValueError: two have one name.
    """
    found: dict[str, Listed] = {}
    for kind in ("street", "aerial", "drone", "map"):
        entries: list[dict[str, Any]] = yaml.safe_load((files(__name__) / f"{kind}.yaml").read_text("utf-8")) or []
        for entry in entries:
            source = Listed.model_validate({"kind": kind, **entry})
            if source.name in found:
                raise ValueError(f"two sources are listed as {source.name}")
            found[source.name] = source
    return found
