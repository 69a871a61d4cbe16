"""The synthetic world: made-up towns, drawn consistently from the street, from above and as a map, the truth known.

A test instrument: no number from it stands for one on real photos.
"""

from pipeline.sources.world.aerial import WorldAerialSource
from pipeline.sources.world.map import WorldMapSource
from pipeline.sources.world.regions import WORLD_VERSION
from pipeline.sources.world.street import WorldStreetSource

__all__ = ["WORLD_VERSION", "WorldAerialSource", "WorldMapSource", "WorldStreetSource"]
