"""Drone orthophotos of OpenAerialMap: views from straight above, given by many people, each under its own licence."""

from pipeline.config import sources as config
from pipeline.config.region import Region
from pipeline.net.base import Client
from pipeline.sources.aerial.scenes import Rules
from pipeline.sources.aerial.stac import StacSource, origins
from pipeline.sources.listing import listing

COLLECTION = "openaerialmap"
"""The same API has collections of satellite imagery under other licences."""


class OpenAerialMapSource(StacSource):
    """OpenAerialMap by its STAC API, down to what a drone (or kite, or balloon) can see."""

    def __init__(self, name: str, settings: config.OpenAerialMap, regions: list[Region], client: Client) -> None:
        """Check the settings; ask nothing.

        Raises:
            ConfigError: for every setting that cannot be used, and why.
        """
        stac = config.StacSource(
            type="stac",
            endpoint=settings.endpoint,
            collections=[COLLECTION],
            allowed_hosts=settings.allowed_hosts,
            max_gsd_m=settings.max_gsd_m,
            max_datum_error_m=settings.max_datum_error_m,
        )
        # The collection says CC-BY-4.0, its items do not all agree: one that states no licence has none.
        rules = Rules(
            asset="visual",
            other_assets=("image",),
            any_geotiff=True,
            platforms=("uav", "kite", "balloon"),
            inherits=False,
            max_gsd_m=settings.max_gsd_m,
        )
        provider = listing()["openaerialmap"].provider(origins(settings), rate=settings.rate)
        super().__init__(name, stac, regions, client, rules=rules, provider=provider)
