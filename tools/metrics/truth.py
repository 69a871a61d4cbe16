"""Descriptions of the synthetic world, judged by what is truly there instead of by what was read.

The truth of a sample's further views is published with them. That of its first view follows from the world's settings,
which stand in the manifest, the photo's id and the camera, which stand in the sample. Map cues are the world's own,
hence true.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from pipeline.captioning.base import Evidence
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.captioning.language.quotes import quotations
from pipeline.captioning.likeness import same_lettering
from pipeline.captioning.witnesses import Testimony, gather_testimony
from pipeline.config.captioning import Grounding
from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.geo.point import Point
from pipeline.imaging.types import Camera
from pipeline.perception.oracle import Truth
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldStreetSource
from schemas.records import Cue, StreetView
from tools.metrics.described import Described

_SETTINGS = TypeAdapter(dict[str, dict[str, JsonValue]])


def world_sources(config: Mapping[str, JsonValue]) -> dict[str, WorldStreetSource]:
    """The street sources of the synthetic world in a manifest's settings, by name."""
    sources = config.get("sources")
    street = _SETTINGS.validate_python(sources.get("street", {}) if isinstance(sources, dict) else {})
    worlds = {name: settings for name, settings in street.items() if settings.get("type") == "world"}
    listed = config.get("regions")
    regions = [Region.model_validate(region) for region in listed] if worlds and isinstance(listed, list) else []
    return {
        name: WorldStreetSource(name, WorldStreet.model_validate(settings), regions)
        for name, settings in worlds.items()
    }


@dataclass(frozen=True)
class Truthful:
    """A description held against the truth."""

    quotes: int
    quotes_true: int
    directions: int
    directions_true: int


def against_truth(sample: Described, worlds: Mapping[str, WorldStreetSource], policy: Grounding) -> Truthful | None:
    """A description's quotations and directions, judged by the truth.

    A direction is true where a thing that truly bears the words of what the claim cites lies there.

    None for a sample with a view that is not of the synthetic world, or in a language that there are no rules for.

    Raises:
        SiteError: a photo that the world of these settings does not have.
    """
    views = sample.evidence.site.views
    if sample.language not in LANGUAGES or any(view.source not in worlds for view in views):
        return None
    language = language_of(sample.language)
    mapped = [cue for cue in sample.evidence.cues if cue.kind == "map"]
    cues = [*(cue for view in views for cue in true_cues(view, worlds[view.source])), *mapped]
    truth = gather_testimony(Evidence(sample.evidence.site, cues), [], language)
    told = {cue.cue_id: cue for cue in sample.evidence.cues}
    quotes: list[bool] = []
    directions: list[bool] = []
    for claim in (claim for sentence in sample.sentences for claim in sentence.claims):
        quoted = [
            [it for it in truth if any(same_lettering(words, text, policy.text_likeness) for text in it.texts)]
            for words in quotations(claim.text)
        ]
        quotes += map(bool, quoted)
        sides = language.sides(claim.text)
        meant = [it for found in quoted for it in found] or [
            it for cue_id in claim.cites if cue_id in told for it in truth if _same(told[cue_id], it, policy)
        ]
        if sides and meant:
            directions.append(any(it.angle_deg is None or all(map(it.may_be, sides)) for it in meant))
    return Truthful(len(quotes), sum(quotes), len(directions), sum(directions))


def _same(cue: Cue, it: Testimony, policy: Grounding) -> bool:
    """Whether a thing of the truth may be the one that a cue is of."""
    if cue.kind == "text":
        return any(same_lettering(cue.text or "", text, policy.text_likeness) for text in it.texts)
    return it.id == cue.cue_id if cue.kind == "map" else it.witness == "detector" and cue.label in it.words


def true_cues(view: StreetView, world: WorldStreetSource) -> list[Cue]:
    """All cues that are truly in a view of the synthetic world.

    Raises:
        SiteError: the world has no such photo.
    """
    heading, hfov = view.heading_deg, view.hfov_deg
    if heading is None or hfov is None:
        return []
    photo = Photo(
        source_id=view.source_id,
        position=Point(view.lat, view.lon),
        heading_deg=heading,
        hfov_deg=hfov,
        projection=view.projection,
        captured_at=view.captured_at,
        author=view.author,
        licence=view.licence,
        link=view.link,
    )
    camera = Camera(heading, view.pitch_deg, hfov, view.width, view.height)
    truth = Truth.model_validate_json(view.truth or world.truth(photo, camera))
    return list(_cues(truth, view, heading, hfov))


def _cues(truth: Truth, view: StreetView, heading_deg: float, hfov_deg: float) -> Iterator[Cue]:
    focal = view.width / 2 / math.tan(math.radians(hfov_deg) / 2)
    for i, text in enumerate(truth.texts):
        middle = _middle(text.polygon)
        bearing = heading_deg + math.degrees(math.atan((middle - view.width / 2) / focal))
        yield _cue(f"text {view.view_id} {i}", view, text.polygon, bearing, text.lasting, label="sign", text=text.text)
    for i, thing in enumerate(truth.objects):
        yield _cue(
            f"object {view.view_id} {i}",
            view,
            thing.polygon,
            thing.bearing_deg,
            thing.lasting,
            label=thing.label,
            distance_m=thing.distance_m,
        )


def _middle(polygon: Sequence[float]) -> float:
    return (min(polygon[::2]) + max(polygon[::2])) / 2


def _cue(
    cue_id: str,
    view: StreetView,
    polygon: list[float],
    bearing_deg: float,
    lasting: bool,
    *,
    label: str,
    text: str | None = None,
    distance_m: float | None = None,
) -> Cue:
    return Cue(
        cue_id=cue_id,
        kind="object" if text is None else "text",
        label=label,
        attribute=None,
        category=None,
        text=text,
        text_en=None,
        script=None,
        position=None,
        depth=None,
        bearing_deg=round(bearing_deg % 360.0, 7) % 360.0,
        distance_m=distance_m,
        confidence=1.0,
        source="truth",
        view_id=view.view_id,
        polygon=polygon,
        area_share=None,
        mask=None,
        lasting=lasting,
    )
