"""The synthetic world's street, aerial and map sources."""

from pipeline.sources.world.aerial import WorldAerialSource
from pipeline.sources.world.map import WorldMapSource
from pipeline.sources.world.street import WorldStreetSource

__all__ = ["WorldAerialSource", "WorldMapSource", "WorldStreetSource"]
