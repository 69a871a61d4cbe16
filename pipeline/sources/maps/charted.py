"""The kinds of fact that a map has a layer of, by what the map is made of; see `schemas.records.ImageryRow.charted`.

Not `junction` where roundabouts are not marked as such, and not `water` where the sea is no area: a map must not be
taken for a witness against what its data cannot show.
"""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from pipeline.cartography.features import Feature
from schemas.records import FactKind

Kinds = frozenset[FactKind]

_BY_THE_WAY = 0.02
"""A kind with less than this share of an extract's features is in it by chance, and not as a layer."""
OSM: Kinds = frozenset(get_args(FactKind)) - {"water"}
"""All of OSM, of whose sea there is only the coastline, which is not read."""
OVERTURE: dict[str, Kinds] = {
    "place": frozenset({"poi"}),
    "segment": frozenset({"road", "rail"}),
    "building": frozenset({"building"}),
    "infrastructure": frozenset({"crossing", "stop", "other"}),
    "land": frozenset(),  # woods and trees: parks and gardens are in land_use
    "land_use": frozenset({"green", "square"}),
    "water": frozenset({"water"}),
}
"""By type."""
PROTOMAPS: dict[str, Kinds] = {
    "roads": frozenset({"road", "rail"}),
    "transit": frozenset({"rail"}),
    "buildings": frozenset({"building"}),
    "landuse": frozenset({"green"}),
    "water": frozenset({"water"}),
    "pois": frozenset({"poi", "stop"}),
}
"""By layer."""


def of_layers(table: dict[str, Kinds], layers: Iterable[str]) -> Kinds:
    """The kinds that layers hold together; unknown ones hold nothing."""
    return frozenset[FactKind]().union(*(table.get(layer, frozenset()) for layer in layers))


def of_osm(features: Iterable[Feature]) -> Kinds:
    """The kinds that an extract of OSM holds, whole or filtered: those that come in it more than by the way.

    An extract of parks has a road or two in it that are also something else.
    """
    counts = Counter(feature.kind for feature in features if feature.feature_id.startswith("osm:"))
    kinds: set[FactKind] = {kind for kind, number in counts.items() if number >= _BY_THE_WAY * counts.total()}
    return OSM & (kinds | {"junction"} if "road" in kinds else kinds)
