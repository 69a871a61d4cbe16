"""Measures how long the synthetic world takes to draw, on one core: `python -m tools.dev.bench.world`.

Prints one line a figure. "cold" includes making up the streets and houses around; neighbouring sites share that.
"""

import time
from collections.abc import Callable, Sequence

import cv2

from pipeline.config.region import Region
from pipeline.config.sources import WorldAerial, WorldMap, WorldStreet
from pipeline.imaging.types import Camera
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldAerialSource, WorldMapSource, WorldStreetSource

SITES = 24


def main() -> None:
    cv2.setNumThreads(1)
    region = Region(name="bench", centre=(48.0, 11.0), radius_m=600)
    street = WorldStreetSource("world", WorldStreet(type="world"), [region])
    aerial = WorldAerialSource("world", WorldAerial(type="world"), [region])
    map_source = WorldMapSource("world", WorldMap(type="world"), [region])
    start = time.perf_counter()
    photos = list(street.candidates(region))
    figure("candidates", (time.perf_counter() - start) / len(photos), "each")
    flat = spread([photo for photo in photos if photo.projection == "perspective"])
    round_photos = spread([photo for photo in photos if photo.projection == "equirectangular"])

    def truth(photo: Photo) -> str:
        camera = Camera(photo.heading_deg or 0.0, 0.0, min(photo.hfov_deg or 90.0, 90.0), 1024, 768)
        return street.truth(photo, camera)

    def site(photo: Photo) -> object:
        return street.read(photo), aerial.chip(photo.position, 512, 0.3), map_source.chip(photo.position, 512, 0.3)

    unit = Region(name="unit", centre=(48.0, 11.0), radius_m=150)
    fresh = WorldStreetSource("world", WorldStreet(type="world", panoramas=0.0), [unit])
    sites = [photo for photo in fresh.candidates(unit) if photo.source_id.endswith("/0")][::2]
    town_aerial = WorldAerialSource("world", WorldAerial(type="world"), [unit])
    town_map = WorldMapSource("world", WorldMap(type="world"), [unit])

    def whole(photo: Photo) -> object:
        chips = town_aerial.chip(photo.position, 512, 0.3), town_map.chip(photo.position, 512, 0.3)
        return fresh.read(photo), chips

    timed(f"site of a unit of {len(sites)}, its town made up first", whole, sites)
    timed("site, cold (photo, aerial, map)", site, flat)
    timed("site (photo, aerial, map)", site, flat)
    timed("photo 1024 x 768", street.read, flat)
    timed("truth of a photo", truth, flat)
    timed("panorama, cold", street.read, round_photos)
    timed("panorama 2048 x 1024", street.read, round_photos)
    timed("truth of a cut", truth, round_photos)
    timed("aerial chip 512", lambda photo: aerial.chip(photo.position, 512, 0.3), flat)
    timed("map chip 512", lambda photo: map_source.chip(photo.position, 512, 0.3), flat)
    timed("map facts, 80 m", lambda photo: map_source.around(photo.position, 80.0), flat)
    timed("photos near, 20 m", lambda photo: street.near(photo.position, 20.0), flat)


def spread(photos: Sequence[Photo]) -> Sequence[Photo]:
    """Neighbouring photos, as a unit of sites has them."""
    return photos[:: max(1, len(photos) // SITES)][:SITES]


def timed(name: str, work: Callable[[Photo], object], photos: Sequence[Photo]) -> None:
    start = time.perf_counter()
    for photo in photos:
        work(photo)
    figure(name, (time.perf_counter() - start) / len(photos), "each")


def figure(name: str, seconds: float, per: str) -> None:
    print(f"{name}: {seconds * 1e3:.1f} ms {per}")


if __name__ == "__main__":
    main()
