"""Section `sources`: the sources of a build, by kind and name."""

from typing import Annotated, Literal, get_args

from pipeline.config.base import Name, Section
from pipeline.config.by_name import ByName
from pipeline.config.names import AERIAL, MAP, STREET
from pipeline.config.sources.base import SourceSection

StreetConfig = Annotated[SourceSection, ByName("type", STREET)]
AerialConfig = Annotated[SourceSection, ByName("type", AERIAL)]
MapConfig = Annotated[SourceSection, ByName("type", MAP)]
SourceKind = Literal["street", "aerial", "drone", "map"]
KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


class Sources(Section):
    """The sources of a build, by kind and name."""

    street: dict[Name, StreetConfig]
    """Street-level photos."""
    aerial: dict[Name, AerialConfig] = {}
    """Imagery from above."""
    drone: dict[Name, AerialConfig] = {}
    """Finer imagery from above. A site's drone chip is centred on its first street view."""
    map: dict[Name, MapConfig] = {}
    """Map data."""
