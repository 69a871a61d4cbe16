"""Turns a photo into street views: read, decoded, gated, anonymised, its heading checked, cut if it is wide."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.decode import decode
from pipeline.imaging.encode import encode_jpeg, fit
from pipeline.imaging.lens import Crop, Fisheye, cut_fisheye, on_sphere, shown_of_crop, stated_crop, turns
from pipeline.imaging.panorama import cuts
from pipeline.imaging.phash import phash
from pipeline.imaging.quality import gate, measure
from pipeline.imaging.types import Camera, Pixels
from pipeline.imaging.vanishing import VanishingPoint, vanishing_around, vanishing_point
from pipeline.registry.registry import Registry
from pipeline.sources.base import KnowsTruth, Photo, StreetSource
from pipeline.stages.heading import Settled, settle
from schemas.reasons import Reason
from schemas.records import Image, MapFact, Quality, StreetView

_LEAST_SHOWN = 0.98
"""Share of a view cut from a part of a sphere or from a fisheye that must lie on it."""
_UNKNOWN_HFOV_DEG = 65.0
"""Field of view that is assumed if it is unknown and the synthetic world's truth or a photo's lines are requested."""
_WIDEST_FLAT_DEG = 115.0
"""Lenses that see wider bend what is straight, each in a way of its own."""
_NEAR_AXIS_DEG = 8.0
"""By a field of view of 45 to 95 degrees in place of the assumed one, a point so near to the axis lies within 6 degrees
of where it is assumed."""
_ALL_ROUND_DEG = tuple(45.0 * n for n in range(-3, 5))
_SPREAD_DEG, _LINES_PX = 90.0, (640, 480)
"""Views in which a panorama's lines are looked for: turns, width in degrees, size."""


def views_of(
    photo: Photo,
    number: int,
    point: Point,
    source: StreetSource,
    others: Sequence[Photo],
    facts: Sequence[MapFact],
    registry: Registry,
) -> list[StreetView]:
    """A flat photo as one view; a panorama as itself and its perspective cuts, a fisheye as its cuts alone.

    Args:
        photo: as its source has it.
        number: of the first view, which its id begins with.
        point: the site.
        source: of the photo.
        others: photos around the site, for the direction of travel.
        facts: what the map has around the site, for the direction of the road.
        registry: the build's engines and settings.

    Raises:
        SiteError: it cannot be read, decoded or used.
    """
    settings = registry.build.imagery
    if photo.size_bytes is not None and photo.size_bytes > settings.limits.max_bytes:
        detail = f"{photo.size_bytes} bytes, at most {settings.limits.max_bytes} allowed"
        raise SiteError(Reason.IMAGE_TOO_LARGE, detail)
    data = source.read(photo)
    photo = _with_lens(photo, data)
    # Of a panorama, large enough that a cut has a pixel of its own for each of its.
    wide = settings.long_side_px * _span_deg(photo) / settings.cut_hfov_deg
    long_side_px = max(settings.long_side_px, round(wide))
    pixels, scores, faces = _checked(
        fit(decode(data, settings.limits, long_side_px=long_side_px), long_side_px), registry
    )
    height, width = pixels.shape[:2]
    if photo.projection == "perspective" or (photo.projection == "fisheye" and photo.lens is None):
        lens_known = photo.projection == "perspective"
        photo = _flat(photo, width, height)
        lines = _lines_of_flat(pixels, photo.hfov_deg) if lens_known else None
        photo, settled = _settled(photo, others, facts, lines)
        return [_view(photo, str(number), pixels, scores, faces, point, source, registry, settled)]
    if isinstance(photo.lens, Crop):
        if 2 * _span_deg(photo) < settings.cut_hfov_deg:  # no view fits, and the whole sphere could be any size
            raise _too_narrow(photo)
        pixels = on_sphere(pixels, photo.lens)
    photo, settled = _settled(photo, others, facts, _lines_around(photo, pixels))
    views = []
    if photo.projection == "equirectangular":
        small = fit(pixels, 2 * settings.long_side_px)
        views.append(_view(photo, str(number), small, scores, faces, point, source, registry, settled))
    cuts = _cuts(photo, number, pixels, faces if not views else 0, point, source, registry, settled)
    if not cuts:
        raise _too_narrow(photo)
    return [*views, *cuts]


def _too_narrow(photo: Photo) -> SiteError:
    return SiteError(Reason.WRONG_ASPECT, f"it sees {_span_deg(photo):.0f} degrees, too little to cut a view from")


def _with_lens(photo: Photo, data: bytes) -> Photo:
    """The photo with the part of the sphere that it is, if its file says so and its source did not."""
    if photo.projection != "equirectangular" or photo.lens is not None:
        return photo
    crop = stated_crop(data)
    return photo if crop is None or crop.is_whole else replace(photo, lens=crop)


def _span_deg(photo: Photo) -> float:
    """How wide a photo that views are cut from sees, in degrees; 0 of any other."""
    if isinstance(photo.lens, Crop):
        return 360.0 * photo.lens.width / photo.lens.full_width
    if isinstance(photo.lens, Fisheye):
        return photo.lens.span_deg(1, 1)
    return 360.0 if photo.projection == "equirectangular" else 0.0


def _flat(photo: Photo, width: int, height: int) -> Photo:
    """A photo that is shown as it is: its field of view is that of its width, and not known of one that bends lines."""
    hfov = photo.hfov_deg
    if hfov is not None and photo.hfov_along_long_side and height > width:
        hfov = math.degrees(2 * math.atan(math.tan(math.radians(hfov) / 2) * width / height))
    if photo.projection == "fisheye" or (hfov is not None and hfov > _WIDEST_FLAT_DEG):
        hfov = None
    return replace(photo, projection="perspective", hfov_deg=hfov)


def _lines_of_flat(pixels: Pixels, hfov_deg: float | None) -> VanishingPoint | None:
    """Where a flat photo's lines run to. If nobody knows its field of view, only a point near its axis is sure."""
    lines = vanishing_point(pixels, hfov_deg or _UNKNOWN_HFOV_DEG)
    return lines if hfov_deg is not None or (lines is not None and abs(lines.angle_deg) <= _NEAR_AXIS_DEG) else None


def _lines_around(photo: Photo, pixels: Pixels) -> VanishingPoint | None:
    """Where the lines of a panorama or a fisheye run to, by views cut all round it."""
    if photo.heading_deg is None:
        return None
    found = []
    cameras = [Camera(turn % 360.0, 0.0, _SPREAD_DEG, *_LINES_PX) for turn in _ALL_ROUND_DEG]
    for turn, (piece, shown) in zip(_ALL_ROUND_DEG, _pieces(photo, pixels, 0.0, cameras), strict=True):
        lines = vanishing_point(piece, _SPREAD_DEG) if shown >= _LEAST_SHOWN else None
        found += [] if lines is None else [(turn, lines)]
    return vanishing_around(found)


def _pieces(
    photo: Photo, pixels: Pixels, heading_deg: float, cameras: Sequence[Camera]
) -> Iterator[tuple[Pixels, float]]:
    """Views cut from a panorama or a fisheye, each with the share of it that lies on the photo."""
    if isinstance(photo.lens, Fisheye):
        for camera in cameras:
            yield cut_fisheye(pixels, photo.lens, heading_deg, camera)
        return
    for camera, piece in zip(cameras, cuts(pixels, heading_deg, cameras), strict=True):
        yield piece, 1.0 if photo.lens is None else shown_of_crop(photo.lens, heading_deg, camera)


def _settled(
    photo: Photo, others: Sequence[Photo], facts: Sequence[MapFact], lines: VanishingPoint | None
) -> tuple[Photo, Settled]:
    """The photo with its heading as it is settled."""
    settled = settle(photo, others, facts, lines)
    return replace(photo, heading_deg=settled.heading_deg), settled


def _cuts(
    photo: Photo,
    number: int,
    pixels: Pixels,
    faces: int,
    point: Point,
    source: StreetSource,
    registry: Registry,
    settled: Settled,
) -> list[StreetView]:
    """Perspective views of a panorama or a fisheye, as far as they lie on it."""
    settings = registry.build.imagery
    base = photo.heading_deg or 0.0
    width, height = settings.long_side_px, settings.long_side_px * 3 // 4
    span = photo.lens.span_deg(*pixels.shape[1::-1]) if isinstance(photo.lens, Fisheye) else _span_deg(photo)
    found: list[StreetView] = []
    turned = turns(span, settings.cut_hfov_deg, settings.max_views)
    cameras = [Camera((base + turn) % 360.0, 0.0, settings.cut_hfov_deg, width, height) for turn in turned]
    for turn, camera, (piece, shown) in zip(turned, cameras, _pieces(photo, pixels, base, cameras), strict=True):
        if shown < _LEAST_SHOWN:
            continue
        cut_photo = replace(
            photo,
            projection="perspective",
            heading_deg=None if photo.heading_deg is None else camera.heading_deg,
            hfov_deg=camera.hfov_deg,
        )
        whole = str(number) if photo.projection == "equirectangular" else None
        blurred = 0 if found else faces
        view_id = f"{number}@{turn % 360.0:g}"
        scores = measure(piece)
        found.append(
            _view(cut_photo, view_id, piece, scores, blurred, point, source, registry, settled, cut_from=whole)
        )
    return found


def _checked(pixels: Pixels, registry: Registry) -> tuple[Pixels, Quality, int]:
    """The photo with blurred faces, its scores, and the number of faces, if it passes the quality gates."""
    scores = measure(pixels)
    reason = gate(scores, registry.build.imagery.quality)
    if reason is not None:
        raise SiteError(reason, ", ".join(f"{name} {value:.3g}" for name, value in scores))
    if registry.blurrer is None:
        return pixels, scores, 0
    with registry.boundary("anonymiser", Reason.ENGINE_FAILED).guard():
        blurred, faces = registry.blurrer.blur(pixels)
    return blurred, scores, faces


def _view(
    photo: Photo,
    view_id: str,
    pixels: Pixels,
    scores: Quality,
    faces: int,
    point: Point,
    source: StreetSource,
    registry: Registry,
    settled: Settled,
    cut_from: str | None = None,
) -> StreetView:
    height, width = pixels.shape[:2]
    east, north = LocalFrame(point.lat, point.lon).to_metres(photo.position.lon, photo.position.lat)
    truth = None
    if isinstance(source, KnowsTruth) and photo.projection == "perspective":
        camera = Camera(photo.heading_deg or 0.0, 0.0, photo.hfov_deg or _UNKNOWN_HFOV_DEG, width, height)
        truth = source.truth(photo, camera)
    return StreetView(
        source=source.name,
        source_id=photo.source_id,
        author=photo.author,
        licence=photo.licence,
        link=photo.link,
        redistributable=photo.redistributable,
        view_id=view_id,
        projection="equirectangular" if photo.projection == "equirectangular" else "perspective",
        cut_from=cut_from,
        lat=photo.position.lat,
        lon=photo.position.lon,
        distance_m=round(float((east**2 + north**2) ** 0.5), 2),
        heading_deg=photo.heading_deg,
        heading_source=settled.source,
        heading_error_deg=settled.error_deg,
        position_error_m=photo.position_error_m,
        pitch_deg=0.0,
        hfov_deg=360.0 if photo.projection == "equirectangular" else photo.hfov_deg,
        captured_at=photo.captured_at,
        sequence=photo.sequence,
        width=width,
        height=height,
        quality=scores,
        faces_blurred=faces,
        phash=phash(pixels),
        image=Image(bytes=encode_jpeg(pixels, registry.build.imagery.jpeg_quality), path=f"{view_id}.jpg"),
        truth=truth,
    )
