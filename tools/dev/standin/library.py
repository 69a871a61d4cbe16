"""The photos that the stand-in has: those of made-up towns, and real ones of a corpus if there is one."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import shapely

from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.digest import digest
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldStreetSource
from tools.dev.standin.faults import Fault

TOWNS = (
    Region(name="vieux-port", centre=(46.1591, -1.1520), radius_m=500),
    Region(name="date-line", centre=(-16.8000, 180.0), radius_m=150),
)
"""The towns there are: one in the west of France, one across the antimeridian."""
PANORAMAS = 0.3
"""Share of the places with a 360-degree photo."""
_WORLD_SIZES = {True: (2048, 1024), False: (1024, 768)}
_CONTRIBUTORS = (
    ("standin-anna", "ign"), ("standin-bruno", "osm-fr"), ("standin-chloe", "ign"), ("standin-dario", "osm-fr"),
    ("standin-emma", "ign"), ("standin-felix", "osm-fr"), ("standin-gilles", "old-server"),
    ("standin-hanna", "old-server"),
)  # fmt: skip
_LICENCES = {"standin-gilles": "proprietary", "standin-hanna": None}
INSTANCES: dict[str, str | None] = {"ign": "etalab-2.0", "osm-fr": "CC-BY-SA-4.0", "old-server": None}
"""Panoramax instances and their licences; the last one is of an age that states none or `proprietary`."""
_WORLD_ID = re.compile(r"(?P<town>[^/]+)/(?P<family>[01])\.(?P<i>-?\d+)\.(?P<j>-?\d+)\.(?P<k>\d+)/.")
_RUN = 5  # so many stretches of a line of the grid make one drive
_WRAPPED_ALTITUDE = 4_294_967_281.0
_QUALITY = 90


@dataclass(frozen=True)
class Shot:
    """A photo and what is told of it."""

    key: str
    """Id of the synthetic world, or path in the corpus."""
    lat: float
    lon: float
    heading: float | None
    hfov: float | None
    panorama: bool
    width: int
    height: int
    taken: datetime
    drive: str
    """Names the capture sequence."""
    rank: int
    """Place in it, from 1."""
    author: str
    instance: str
    licence: str | None
    altitude: float
    oddity: Fault | None = None
    """A fault that shows in how a provider tells of it, and not in the values here."""

    @cached_property
    def uuid(self) -> str:
        """Its id at Panoramax."""
        return _uuid("photo", self.key)

    @cached_property
    def collection(self) -> str:
        """Its sequence's id at Panoramax."""
        return _uuid("sequence", self.drive)

    @cached_property
    def account(self) -> str:
        """Its author's id at Panoramax."""
        return _uuid("account", self.author)

    @cached_property
    def mapillary_id(self) -> str:
        """Its id at Mapillary."""
        return _number("mapillary", self.key, 15)

    @cached_property
    def mapillary_sequence(self) -> str:
        """Its sequence's key at Mapillary."""
        return digest("sequence", self.drive, length=22)

    @cached_property
    def kartaview_id(self) -> str:
        """Its id at KartaView."""
        return _number("kartaview", self.key, 10)

    @cached_property
    def kartaview_sequence(self) -> str:
        """Its sequence's id at KartaView."""
        return _number("kartaview", self.drive, 7)


def flawed(shot: Shot, fault: Fault | None) -> Shot:
    """A photo as it is told of with a fault of `Part.ITEM`."""
    changes: dict[Fault | None, dict[str, object]] = {
        None: {},
        Fault.NAN: {"heading": float("nan")},
        Fault.INFINITY: {"lon": float("inf")},
        Fault.LONGITUDE_OVER_180: {"lon": shot.lon + 360.0},
        Fault.ZERO_POSITION: {"lat": 0.0, "lon": 0.0},
        Fault.SWAPPED: {"lat": shot.lon, "lon": shot.lat},
        Fault.NO_LICENCE: {"licence": None},
        Fault.PROPRIETARY: {"licence": "proprietary"},
        Fault.WRAPPED_ALTITUDE: {"altitude": _WRAPPED_ALTITUDE},
    }
    return replace(shot, **changes.get(fault, {"oddity": fault}))


class Library:
    """All photos, found by place and by id. Threads may share it."""

    def __init__(self, seed: int, cache: Path, corpus: Path | None) -> None:
        """Gather the photos; none is drawn yet.

        Args:
            seed: Of the towns.
            cache: Folder for drawn pictures.
            corpus: Folder with MANIFEST.jsonl and real photos.
        """
        self._world = WorldStreetSource("standin", WorldStreet(type="world", seed=seed, panoramas=PANORAMAS), TOWNS)
        self._cache = cache
        self._corpus = corpus
        photos = [photo for town in TOWNS for photo in self._world.candidates(town)]
        self._photos = {photo.source_id: photo for photo in photos}
        found = [_of_world(photo) for photo in photos] + (list(_of_corpus(corpus)) if corpus else [])
        self.shots = _ranked(found)
        self._tree = shapely.STRtree(
            shapely.points([shot.lon for shot in self.shots], [shot.lat for shot in self.shots])
        )
        self._known = {
            known: shot
            for shot in self.shots
            for known in (shot.uuid, f"mapillary/{shot.mapillary_id}", f"kartaview/{shot.kartaview_id}")
        }
        if len(self._known) != 3 * len(self.shots):
            raise ValueError("two photos have one id")

    def get(self, known: str) -> Shot | None:
        """The photo with a Panoramax id, `mapillary/ID` or `kartaview/ID`."""
        return self._known.get(known)

    def within(self, west: float, south: float, east: float, north: float) -> list[Shot]:
        """Photos in a box in degrees, in no order that a client could use; west > east across the antimeridian."""
        boxes = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        found = {int(n) for a, b in boxes for n in self._tree.query(shapely.box(a, south, b, north), "intersects")}
        return sorted((self.shots[n] for n in found), key=lambda shot: shot.mapillary_id)

    def near(self, point: Point, radius_m: float) -> list[tuple[float, Shot]]:
        """Photos within a radius with their distances in metres, nearest first."""
        west, south, east, north = LocalFrame(point.lat, point.lon).chip_bbox(2, radius_m)
        shots = self.within(west, south, east, north)
        distances = distances_m(point, shots)
        found = [(distance, shot) for distance, shot in zip(distances, shots, strict=True) if distance <= radius_m]
        return sorted(found, key=lambda pair: (pair[0], pair[1].key))

    def drive(self, name: str) -> list[Shot]:
        """The photos of a sequence, in order."""
        return self._drives[name]

    @cached_property
    def _drives(self) -> dict[str, list[Shot]]:
        drives: dict[str, list[Shot]] = {}
        for shot in self.shots:
            drives.setdefault(shot.drive, []).append(shot)
        return {name: sorted(shots, key=lambda shot: shot.rank) for name, shots in drives.items()}

    def picture(self, shot: Shot, width: int | None = None) -> bytes:
        """The photo's JPEG, made no wider than `width`; drawn when it is first asked for."""
        photo = self._photos.get(shot.key)
        if photo is None:
            assert self._corpus is not None
            data = (self._corpus / shot.key).read_bytes()
        else:
            file = self._cache / f"{digest(shot.key, length=32)}.jpg"
            if not file.exists():
                drawn = file.with_suffix(f".{uuid.uuid4().hex}")
                drawn.write_bytes(self._world.read(photo))
                drawn.replace(file)
            data = file.read_bytes()
        return data if width is None or width >= shot.width else _smaller(data, width)


def distances_m(point: Point, shots: Iterable[Shot]) -> list[float]:
    """Distance of each photo from a point."""
    shots = list(shots)
    x, y = LocalFrame(point.lat, point.lon).to_metres([s.lon for s in shots], [s.lat for s in shots])
    return [float(distance) for distance in np.hypot(x, y)]


def _of_world(photo: Photo) -> Shot:
    match = _WORLD_ID.fullmatch(photo.source_id)
    assert match is not None
    i, j = int(match["i"]), int(match["j"])
    line, run = (j, i // _RUN) if match["family"] == "0" else (i, j // _RUN)
    drive = f"{match['town']}/{match['family']}.{line}.{run}"
    author, instance = _CONTRIBUTORS[int(digest("contributor", drive), 16) % len(_CONTRIBUTORS)]
    panorama = photo.projection == "equirectangular"
    width, height = _WORLD_SIZES[panorama]
    assert photo.captured_at is not None
    return Shot(
        key=photo.source_id,
        lat=round(photo.position.lat, 7),
        lon=round(photo.position.lon, 7),
        heading=photo.heading_deg,
        hfov=photo.hfov_deg,
        panorama=panorama,
        width=width,
        height=height,
        taken=photo.captured_at,
        drive=drive,
        rank=0,
        author=author,
        instance=instance,
        licence=_LICENCES.get(author, INSTANCES[instance]),
        altitude=12.4,
    )


def _of_corpus(corpus: Path) -> Iterator[Shot]:
    """The corpus's located street photos with a licence that Panoramax instances have."""
    for line in (corpus / "MANIFEST.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["kind"] != "street" or row["lat"] is None or row["projection"] == "cubemap-face":
            continue
        if not row["licence"].startswith("CC"):
            continue
        panorama = row["projection"] == "equirectangular"
        hfov = re.search(r"hfov_deg=([\d.]+)", row["notes"] or "")
        taken = datetime.fromisoformat(row["capture_time"]) if row["capture_time"] else datetime(2023, 5, 1, tzinfo=UTC)
        yield Shot(
            key=row["path"],
            lat=row["lat"],
            lon=row["lon"],
            heading=row["heading"],
            hfov=360.0 if panorama else float(hfov[1]) if hfov else None,
            panorama=panorama,
            width=row["width"],
            height=row["height"],
            taken=taken.astimezone(UTC),
            drive=row["group"],
            rank=0,
            author=row["attribution"],
            instance="osm-fr",
            licence=row["licence"],
            altitude=0.0,
        )


def _ranked(shots: list[Shot]) -> list[Shot]:
    """The photos with their place in their sequence, by time."""
    seen: dict[str, int] = {}
    found = []
    for shot in sorted(shots, key=lambda shot: (shot.drive, shot.taken, shot.key)):
        seen[shot.drive] = seen.get(shot.drive, 0) + 1
        found.append(replace(shot, rank=seen[shot.drive]))
    return found


def _smaller(data: bytes, width: int) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return encoded.tobytes()


def _uuid(*key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("geoscribe-standin", *key))))


def _number(kind: str, key: str, length: int) -> str:
    """A number of so many digits."""
    low = 10 ** (length - 1)
    return str(low + int(digest(kind, key, length=16), 16) % (9 * low))
