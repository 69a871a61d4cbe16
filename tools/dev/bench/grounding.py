"""How good the checks on descriptions are, on the synthetic world, where the truth is known.

    python -m tools.dev.bench.grounding [SITES]      500 sites by default; run it from the repository's root

The composer describes each site from what oracle engines read off the truth. Printed are, for each mutation, how many
of the spoilt descriptions are noticed at all and how many by a check that is meant to; for each check, how many of the
descriptions as they were it holds against them; and the time a description takes. The composer is not infallible: what
is held against it is printed, and may be its own mistake.
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.composer.composer import Composer
from pipeline.captioning.grounding.grounding import fault_of, judge
from pipeline.config.build import Region
from pipeline.config.captioning import Composer as ComposerConfig
from pipeline.config.captioning import Grounding
from pipeline.config.perception import OracleOcr as OcrConfig
from pipeline.config.perception import OracleSegments as SegmentsConfig
from pipeline.config.sources import WorldMap, WorldStreet
from pipeline.imaging.types import Camera
from pipeline.perception.base import View
from pipeline.perception.cues import fuse
from pipeline.perception.oracle import OracleOcr, OracleSegmenter
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldMapSource, WorldStreetSource
from schemas.records import Image, ImageryRow, Quality, StreetView
from tools.dev.mutations.base import Case
from tools.dev.mutations.suite import MUTATIONS

SIZE = (640, 480)
TOWNS = ((59.33, 18.06), (-33.45, -70.66), (41.9, 12.5), (48.85, 2.35), (52.52, 13.4))
"""Positions of made-up towns; each has its own language."""
RADIUS_M = 80.0
MOST_VIEWS = 3
WITHOUT_HEADING = 5
"""Every fifth site's photos have no heading."""
SHOWN = 20


def places(count: int, radius_m: float = 1_500.0) -> Iterator[Evidence]:
    """Evidence of sites of the synthetic world, as the stages would make it, but without drawing a picture."""
    for number, centre in enumerate(TOWNS):
        region = Region(name=f"town-{number}", centre=centre, radius_m=radius_m)
        street = WorldStreetSource("world", WorldStreet(type="world", seed=3, panoramas=0.0), [region])
        around = WorldMapSource("world", WorldMap(type="world", seed=3), [region])
        spots: dict[tuple[float, float], list[Photo]] = defaultdict(list)
        for photo in street.candidates(region):
            spots[photo.position.lat, photo.position.lon].append(photo)
        groups = list(spots.values())
        share = (count * (number + 1)) // len(TOWNS) - (count * number) // len(TOWNS)
        for i, group in enumerate(groups[:: max(1, len(groups) // max(share, 1))][:share]):
            yield evidence(f"{region.name}-{i:04d}", group[:MOST_VIEWS], street, around, blind=i % WITHOUT_HEADING == 4)


def evidence(
    site_id: str, photos: list[Photo], street: WorldStreetSource, around: WorldMapSource, *, blind: bool
) -> Evidence:
    """What the stages `imagery` and `cues` would make of a site's photos."""
    shown = [(photo, _view(str(n), photo, street, blind=blind)) for n, photo in enumerate(photos)]
    here = photos[0].position
    row = ImageryRow(
        site_id=site_id,
        status="ok",
        reason=None,
        detail=None,
        region=site_id.rpartition("-")[0],
        unit="89268cdb597ffff",
        lat=here.lat,
        lon=here.lon,
        weight=1.0,
        views=[view for _, view in shown],
        aerial=None,
        map=None,
        facts=around.around(here, RADIUS_M),
        missing=[],
    )
    asked = [View(view.view_id, np.zeros((SIZE[1], SIZE[0], 3), np.uint8), view.truth) for _, view in shown]
    names = [view.view_id for view in asked]
    texts = OracleOcr(OcrConfig(engine="oracle")).read(asked)
    segments = OracleSegmenter(SegmentsConfig(engine="oracle")).segment(asked)
    cues = fuse(row, dict(zip(names, texts, strict=True)), dict(zip(names, segments, strict=True)), "oracle", "oracle")
    return Evidence(row, cues)


def _view(view_id: str, photo: Photo, street: WorldStreetSource, *, blind: bool) -> StreetView:
    assert photo.heading_deg is not None
    hfov = photo.hfov_deg or 90.0
    return StreetView(
        source="world",
        source_id=photo.source_id,
        author=photo.author,
        licence=photo.licence,
        link=photo.link,
        view_id=view_id,
        projection="perspective",
        cut_from=None,
        lat=photo.position.lat,
        lon=photo.position.lon,
        distance_m=0.0,
        heading_deg=None if blind else photo.heading_deg,
        pitch_deg=0.0,
        hfov_deg=hfov,
        captured_at=None,
        width=SIZE[0],
        height=SIZE[1],
        quality=Quality(sharpness=0, contrast=0, entropy=0, darkness=0),
        faces_blurred=0,
        phash="0" * 16,
        image=Image(bytes=b"", path=""),
        truth=street.truth(photo, Camera(photo.heading_deg, 0.0, hfov, *SIZE)),
    )


def cases(count: int, radius_m: float = 1_500.0) -> list[Case]:
    """Sites with the composer's descriptions; each knows the others, to take foreign matter from.

    Args:
        count: How many sites.
        radius_m: Of the towns that they are drawn from: listing the photos of larger ones takes longer.
    """
    found = list(places(count, radius_m))
    answers = Composer(ComposerConfig(), seed=1).describe(found)
    plain = [
        Case(site, answer.sentences)
        for site, answer in zip(found, answers, strict=True)
        if isinstance(answer, Description)
    ]
    return [Case(case.evidence, case.sentences, [*plain[i + 1 : i + 25], *plain[:8]]) for i, case in enumerate(plain)]


def main(count: int) -> None:
    policy = Grounding()
    good = cases(count)
    judge(good[0].sentences, good[0].evidence, policy, "en")
    started = time.process_time()
    judged = [judge(case.sentences, case.evidence, policy, "en") for case in good]
    each = (time.process_time() - started) / len(good)
    print(f"{len(good)} descriptions of {count} sites; {each * 1e3:.1f} ms CPU each")
    alarms = [(case, fault_of(verdicts, policy)) for case, verdicts in zip(good, judged, strict=True)]
    raised = [(case, fault) for case, fault in alarms if fault is not None]
    by_check = Counter(
        check
        for verdicts in judged
        for check in {v.check for v in verdicts if v.outcome not in ("supported", "unknown")}
    )
    unknown = sum(v.outcome == "unknown" for verdicts in judged for v in verdicts)
    print(f"held against good descriptions: {len(raised)} ({len(raised) / len(good):.1%}); by check: {dict(by_check)}")
    print(f"claims: {sum(map(len, judged))}, of them unknown {unknown}")
    for case, fault in raised[:SHOWN]:
        print(f"    {case.evidence.site.site_id}: {fault[1]}")
    print(f"{'mutation':42} {'made':>5} {'noticed':>8} {'by its check':>13}")
    for mutation in MUTATIONS:
        spoilt = [(case, mutation.apply(case)) for case in good]
        verdicts = [judge(text, case.evidence, policy, "en") for case, text in spoilt if text is not None]
        noticed = sum(fault_of(v, policy) is not None for v in verdicts)
        rightly = sum(
            any(v.check in mutation.checks and v.outcome not in ("supported", "unknown") for v in each)
            for each in verdicts
        )
        made = max(len(verdicts), 1)
        print(f"{mutation.name:42} {len(verdicts):5} {noticed / made:8.1%} {rightly / made:13.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
