"""Section `imagery`: views, chips, quality gates and limits of pictures."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Section, Share


class QualityGates(Section):
    """Photos outside these limits are rejected. All scores are taken at a long side of 512 pixels."""

    min_sharpness: Annotated[float, Field(ge=0)] = 30.0
    """Minimum variance of the Laplacian of the grey photo."""
    min_contrast: Annotated[float, Field(ge=0, le=128)] = 12.0
    """Minimum standard deviation of the grey levels (0 to 255)."""
    min_entropy: Annotated[float, Field(ge=0, le=8)] = 4.0
    """Minimum entropy of the grey histogram, in bits (0 to 8)."""
    max_darkness: Share = 0.8
    """Maximum share of pixels that are nearly black."""


class ImageLimits(Section):
    """Limits for pictures from outside. A picture that exceeds them is rejected by its header, before it is decoded."""

    max_bytes: Annotated[int, Field(ge=1_000, le=500_000_000)] = 40_000_000
    """Maximum size of the encoded picture, in bytes."""
    max_pixels: Annotated[int, Field(ge=10_000, le=300_000_000)] = 90_000_000
    """Maximum number of pixels (width times height)."""
    min_side_px: Annotated[int, Field(ge=16, le=4_096)] = 200
    """Minimum length of the shorter side, in pixels."""


class Chips(Section):
    """Chips, centred on the site. Aerial and map chip share frame and scale, pixel by pixel."""

    gsd_m: Annotated[float, Field(gt=0.01, le=10)] = 0.3
    """Ground sample distance: metres per pixel."""
    size_px: Annotated[int, Field(ge=64, le=4_096)] = 512
    """Width and height of a chip, in pixels."""
    min_covered: Share = 0.98
    """Minimum share of an aerial or drone chip that the source must cover."""
    extra_sizes_m: list[Annotated[float, Field(ge=10, le=5_000)]] = []
    """Side lengths, in metres, of further aerial chips per site with the same number of pixels, such as [80, 120,
    180]."""
    drone_gsd_m: Annotated[float, Field(gt=0.005, le=1)] = 0.1
    """Metres per pixel of the drone chip."""
    orientation: Literal["north-up", "heading-up"] = "north-up"
    """Direction at the top of a chip. `heading-up`: where the site's main view looks, so that the left of a text is
    left in the chip; north (`bearing_deg` 0), where that heading is unknown, unreliable or merely guessed. Distractors
    get a direction at random."""
    map_scale: Literal["chip", "carto-z19"] = "chip"
    """Scale of the map chip. `chip`: the same as the aerial chip's. `carto-z19`: one 256 px tile of zoom 19 fills the
    chip, so its side is 76.4 m times the cosine of the latitude; released CVG-Text models expect this."""


class Choice(Section):
    """Weights of the penalty that ranks the photos of a site (`pipeline.stages.choosing`). 0 leaves a term out."""

    distance: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of the distance between photo and site."""
    direction: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of looking towards the site, for photos more than a few metres away from it."""
    date: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the age of the photo."""
    quality: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the source's own quality score."""


class Imagery(Section):
    """Stage `imagery`: the views of each site."""

    search_radius_m: Annotated[float, Field(gt=0, le=500)] = 20.0
    """Maximum distance between a site and its photos, in metres."""
    max_views: Annotated[int, Field(ge=1, le=12)] = 4
    """Maximum number of perspective views per site, in different directions."""
    long_side_px: Annotated[int, Field(ge=256, le=8_192)] = 1_024
    """Longer side of a perspective photo after downscaling, in pixels; panoramas get twice as much."""
    cut_hfov_deg: Annotated[float, Field(ge=30, le=120)] = 90.0
    """Horizontal field of view of the perspective views that are cut from a panorama, in degrees."""
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 88
    """JPEG quality of the pictures that are written."""
    map_radius_m: Annotated[float, Field(gt=0, le=1_000)] = 80.0
    """Radius around the site within which named map features become map cues, in metres."""
    anonymiser: Literal["centerface", "none"] = "centerface"
    """How faces are made unrecognisable. `centerface` blurs them. `none` is allowed only with street sources of the
    synthetic world."""
    require: list[Literal["aerial", "drone", "map"]] = []
    """Views without which a site fails. Other sites may lack a view, as long as they have an aerial or a map chip."""
    choice: Choice = Choice()
    """How photos are ranked."""
    chips: Chips = Chips()
    """Aerial, drone and map chips."""
    quality: QualityGates = QualityGates()
    """Quality gates for photos."""
    limits: ImageLimits = ImageLimits()
    """Limits for pictures from outside."""
