"""Turns items of a STAC API into scenes with their licence, or into a reason why they may not be used."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pipeline.config.sources import Credits
from pipeline.errors import SiteError
from pipeline.sources.aerial.remote_raster import Remote, joined
from pipeline.sources.aerial.stac_search import Asset, Catalogue, Item, Party
from pipeline.sources.origins import origin_of
from schemas.reasons import Reason

_MOST_CLOUD = 10.0
"""Per cent, where an item states it."""
_NO_LICENCE = frozenset({"", "proprietary", "other", "various", "unknown", "none", "noassertion"})
_MADE_BY = ("producer", "licensor")
_MAIL = re.compile(r"[<(\[]?\b[^\s<>()\[\],;]+@[^\s<>()\[\],;]+\.[a-z]{2,}\b[>)\]]?", re.IGNORECASE)


@dataclass(frozen=True)
class Rules:
    """Requirements of an item."""

    asset: str
    other_assets: tuple[str, ...] = ()
    """Names tried where it has none of that name."""
    any_geotiff: bool = False
    """Whether its only GeoTIFF will do, however it is called."""
    platforms: tuple[str, ...] = ()
    """Platforms that it may state; any if empty."""
    inherits: bool = True
    """Whether the collection's licence and providers count where the item states none."""
    max_gsd_m: float | None = None


@dataclass(frozen=True)
class Scene:
    """An item that may be used."""

    remote: Remote
    author: str
    licence: str
    link: str
    captured_at: datetime | None


def scene_of(item: Item, catalogue: Catalogue, rules: Rules, stated: Credits | None) -> Scene:
    """An item as a scene.

    Args:
        item: What the catalogue has.
        catalogue: Asked for the item's collection, where the item does not say all.
        rules: What it must be.
        stated: Counts in place of what the item says.

    Raises:
        SiteError: NO_OVERLAP for what is not wanted (too coarse, cloudy, another platform), UNUSABLE_LICENCE,
            READ_FAILED where it has no such asset, REFUSED or UNSAFE_ADDRESS for where that lies, or a reason of the
            network.
    """
    said = item.properties
    if said.gsd is not None and rules.max_gsd_m is not None and said.gsd > rules.max_gsd_m:
        raise _fault(Reason.NO_OVERLAP, item, f"{said.gsd:g} m a pixel, coarser than {rules.max_gsd_m:g}")
    if said.cloud is not None and said.cloud > _MOST_CLOUD:
        raise _fault(Reason.NO_OVERLAP, item, f"{said.cloud:g} % cloud")
    if rules.platforms and said.platform_type and said.platform_type.lower() not in rules.platforms:
        raise _fault(Reason.NO_OVERLAP, item, f"taken from a platform of type {said.platform_type}")
    licence, author = (stated.licence, stated.author) if stated else _terms(item, catalogue, rules)
    asset = _asset(item, rules)
    link = catalogue.link(item)
    url = joined(link, asset.href)
    if url.startswith("http://") and link.startswith("https://"):
        url = url.replace("http://", "https://", 1)
    origin_of(url)
    name = f"{quote(item.collection or '', safe='')}/{quote(item.id, safe='')}"
    return Scene(Remote(name, url), author, licence, stated.link if stated else link, item.taken())


def _terms(item: Item, catalogue: Catalogue, rules: Rules) -> tuple[str, str]:
    """Licence and author, as the item or its collection states them."""
    licence = item.properties.license
    author = item.properties.producer or _author(item.properties.providers)
    if rules.inherits and item.collection and not (licence and author):
        inherited = catalogue.collection(item.collection)
        licence, author = licence or inherited.license, author or _author(inherited.providers)
    # Some write "CC BY-NC 4.0", and no two alike; SPDX has hyphens.
    licence = "-".join(licence.split())
    if licence.lower() in _NO_LICENCE:
        raise _fault(Reason.UNUSABLE_LICENCE, item, f"licence {licence or 'not stated'}")
    if re.search(r"-ND\b", licence, re.IGNORECASE):
        raise _fault(Reason.UNUSABLE_LICENCE, item, f"{licence}: nothing made from it may be passed on")
    author = " ".join(_MAIL.sub(" ", author).split()).strip(" ,;")
    if not author:
        raise _fault(Reason.UNUSABLE_LICENCE, item, "it does not say whom to credit")
    return licence, author


def _author(providers: tuple[Party, ...]) -> str:
    makers = [party.name for party in providers if any(role in _MADE_BY for role in party.roles)]
    names = [name for name in makers or [party.name for party in providers] if name]
    return ", ".join(dict.fromkeys(names))


def _asset(item: Item, rules: Rules) -> Asset:
    for name in (rules.asset, *rules.other_assets):
        asset = item.assets.get(name)
        if asset is None:
            continue
        if not asset.is_tiff():
            found = f"its asset {name} is {asset.type or 'called ' + asset.href.rpartition('/')[2][:80]}"
            raise _fault(Reason.READ_FAILED, item, f"{found}, no GeoTIFF")
        return asset
    tiffs = [asset for _, asset in sorted(item.assets.items()) if asset.is_tiff()]
    if rules.any_geotiff and len(tiffs) == 1:
        return tiffs[0]
    has = ", ".join(sorted(item.assets))[:200] or "none"
    raise _fault(Reason.READ_FAILED, item, f"it has no asset {rules.asset} (it has {has})")


def _fault(reason: Reason, item: Item, found: str) -> SiteError:
    return SiteError(reason, f"{item.collection}/{item.id}: {found}")
