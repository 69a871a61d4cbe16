"""Pictures of a site, street-level and from above, with their origin and metadata."""

from datetime import datetime
from typing import Literal

from schemas.records.base import Heading, Image, Latitude, Longitude, Record

AERIAL = "aerial"
"""Takes the place of a street view's id where the aerial chip is meant."""


class Credit(Record):
    """Origin and licence of a picture."""

    source: str
    """Name of the source in the build file."""
    source_id: str
    """The source's id of the picture. Ids of several files of a mosaic are joined by a space."""
    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    """Page of the picture or of the source."""
    redistributable: bool = True
    """False where the source's terms forbid passing the picture on, whatever agreement the build's owner has."""


class Quality(Record):
    """Scores of the quality gates (`pipeline.imaging.quality`)."""

    sharpness: float
    """Variance of the Laplacian."""
    contrast: float
    """Standard deviation of the grey levels (0 to 127.5)."""
    entropy: float
    """Entropy of the grey histogram, bits (0 to 8)."""
    darkness: float
    """Share of pixels darker than an eighth of the scale (0 to 1)."""


class StreetInfo(Credit):
    """Metadata of a street-level view."""

    view_id: str
    """Unique within the site: number of the photo, and the direction for a cut of a panorama (`0`, `0@90`)."""
    projection: Literal["perspective", "equirectangular"]
    """Camera projection."""
    cut_from: str | None
    """`view_id` of the panorama that this view was cut from; null for a photo, and for a view cut from a fisheye."""
    lat: Latitude
    """Latitude of the camera, degrees."""
    lon: Longitude
    """Longitude of the camera, degrees."""
    distance_m: float
    """Distance between site and camera, metres."""
    heading_deg: Heading | None
    """Heading of the optical axis (of the image centre for a panorama), degrees clockwise from north; null if
    unknown."""
    heading_source: Literal["stated", "guessed", "confirmed", "corrected", "unreliable"] | None = None
    """`stated` by the source and not checked; `guessed` by the source from the capture's track, where it lets that be
    known, and by nothing else, so that it is used no more than an unreliable one; `confirmed` by the picture's lines or
    the capture's track (a guess: by both); `corrected` if both agree on another heading; `unreliable` if one of
    them contradicts it. Null without a heading."""
    heading_error_deg: float | None = None
    """Uncertainty of the heading: two standard deviations, degrees; 180 if it is unreliable or merely guessed, null if
    nothing is known."""
    position_error_m: float | None = None
    """Uncertainty of the position as the source states it, metres; null if it states none."""
    pitch_deg: float
    """Pitch of the optical axis, degrees above the horizon."""
    hfov_deg: float | None
    """Horizontal field of view, degrees; 360 for a panorama; null if unknown."""
    captured_at: datetime | None
    """Time of capture; null if unknown."""
    sequence: str | None = None
    """The source's id of the capture sequence (a drive, a walk)."""
    width: int
    """Width, pixels."""
    height: int
    """Height, pixels."""
    quality: Quality
    """Scores of the quality gates."""
    faces_blurred: int
    """Number of faces blurred in the photo. 0 for a cut: its panorama has the count."""
    phash: str
    """64-bit perceptual hash, 16 hexadecimal digits. Near-duplicates differ in few bits."""


class StreetView(StreetInfo):
    """A street-level view with its picture."""

    image: Image
    """The picture, with faces blurred and without EXIF."""
    truth: str | None
    """Synthetic world only: JSON of the texts and objects in this view, with their pixel polygons."""


class ChipInfo(Credit):
    """Metadata of a picture from above, in a local metric frame centred on the site."""

    gsd_m: float
    """Ground sample distance, metres per pixel."""
    bearing_deg: Heading = 0.0
    """Direction of the top of the picture, degrees clockwise from north: 0 if north is up."""
    native_gsd_m: float | None = None
    """Ground sample distance of the source imagery at this place, metres per pixel; greater than `gsd_m` if the chip
    was enlarged. The coarsest one if the chip is a mosaic. Null for drawn chips (maps, the synthetic world)."""
    datum_accuracy_m: float | None = None
    """Accuracy of the transformation from the source's coordinate system to WGS 84, metres, as the EPSG registry states
    it; 0 where it is WGS 84, 1 where it is CGCS2000. Null where none is stated, and for drawn chips."""
    width: int
    """Width, pixels."""
    height: int
    """Height, pixels."""
    west: Longitude
    """West edge, degrees."""
    south: Latitude
    """South edge, degrees."""
    east: Longitude
    """East edge, degrees."""
    north: Latitude
    """North edge, degrees."""
    crs: str
    """PROJ string of the local frame (azimuthal equidistant around the site)."""
    captured_at: datetime | None
    """Date of the imagery or of the map extract; null if unknown."""
    covered: float
    """Share of the chip that the source covers, 0 to 1."""
    phash: str | None = None
    """64-bit perceptual hash, 16 hexadecimal digits; null for map chips and in datasets of formats 1 and 2."""


class Chip(ChipInfo):
    """An aerial or map chip with its picture."""

    image: Image
    """The picture."""
