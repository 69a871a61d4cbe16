"""Stage `cues`: from a site's pictures to its row."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.engine.build_file import parse_build
from pipeline.registry.registry import Registry, registry_of
from pipeline.stages.cues import cues
from schemas import records
from schemas.arrow import from_table, to_table
from schemas.reasons import Reason
from schemas.records import Chip, CueRow, ImageryRow, Quality, StreetView

SIDE = 64


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    build = {
        "name": "test", "workspace": "workspace", "dataset": "dataset",
        "regions": [{"name": "r", "centre": [0.0, 0.0], "radius_m": 100}],
        "sources": {"street": {"w": {"type": "world"}}, "map": {"w": {"type": "world"}}},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
    }  # fmt: skip
    return Registry(parse_build(build, base=tmp_path))


def png(seed: int) -> records.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return records.Image(bytes=file.getvalue(), path=f"{seed}.png")


def view(view_id: str, *, lasting: bool = True, projection: str = "perspective") -> StreetView:
    polygon = [0, 0, SIDE, 0, SIDE, SIDE, 0, SIDE]
    thing = {"label": "building", "attribute": None, "polygon": polygon, "distance_m": 9, "bearing_deg": 0}
    truth = {"texts": [], "objects": [{**thing, "lasting": lasting}]}
    return StreetView.model_validate(
        {
            "source": "w", "source_id": view_id, "author": "A", "licence": "CC0-1.0", "link": "", "view_id": view_id,
            "projection": projection, "cut_from": None, "lat": 0.0, "lon": 0.0, "distance_m": 1.0, "heading_deg": 0.0,
            "pitch_deg": 0.0, "hfov_deg": 90.0, "captured_at": None, "width": SIDE, "height": SIDE,
            "quality": Quality(sharpness=100, contrast=50, entropy=7, darkness=0), "faces_blurred": 0,
            "phash": "0" * 16, "image": png(int(view_id)), "truth": json.dumps(truth),
        }
    )  # fmt: skip


def chip() -> Chip:
    return Chip(
        source="w", source_id="a", author="A", licence="CC0-1.0", link="", gsd_m=1.0, width=SIDE, height=SIDE, west=0.0,
        south=0.0, east=0.001, north=0.001, crs="", captured_at=None, covered=1.0, image=png(99),
    )  # fmt: skip


def site(*views: StreetView, aerial: Chip | None = None) -> ImageryRow:
    return ImageryRow(
        site_id="s", status="ok", reason=None, detail=None, region="r", unit="u", lat=0.0, lon=0.0, weight=1.0,
        views=list(views), aerial=aerial, map=None, facts=[], missing=[],
    )  # fmt: skip


def test_perspective_views_and_the_aerial_chip_have_signatures(registry: Registry) -> None:
    (row,) = cues([site(view("0"), view("1", projection="equirectangular"), view("2"), aerial=chip())], registry)
    assert row.status == "ok"
    assert [(s.view_id, s.kind) for s in row.signatures] == [
        (name, kind) for name in ("0", "2", "aerial") for kind in ("colour", "orientation", "spectrum")
    ]
    assert len({tuple(s.values) for s in row.signatures}) == 9
    assert from_table(CueRow, to_table(CueRow, [row])) == [row]


def test_without_an_aerial_chip_the_views_have_theirs(registry: Registry) -> None:
    (row,) = cues([site(view("0"))], registry)
    assert {s.view_id for s in row.signatures} == {"0"}


def test_a_site_of_passing_things_fails_and_keeps_what_was_seen(registry: Registry) -> None:
    (row,) = cues([site(view("0", lasting=False))], registry)
    assert (row.status, row.reason, len(row.cues)) == ("failed", Reason.NO_CUES, 1)


def test_a_damaged_picture_is_that_site_s_fault(registry: Registry) -> None:
    bad = view("0").model_copy(update={"image": records.Image(bytes=b"\x89PNG", path="x")})
    rows = cues([site(bad), site(view("1"))], registry)
    assert [row.status for row in rows] == ["failed", "ok"]
    assert rows[0].signatures == []


def test_sites_read_together_are_read_as_alone(registry: Registry) -> None:
    whole = [site(*(view(str(10 * i + k)) for k in range(1 + i % 3)), aerial=chip()) for i in range(6)]
    damaged = view("0").model_copy(update={"image": records.Image(bytes=b"GIF89a", path="x")})
    mixed = [*whole[:2], site(damaged), *whole[2:]]
    rows = cues(mixed, registry)
    assert [row.status for row in rows] == ["ok", "ok", "failed", *["ok"] * 4]
    assert rows == [row for one in mixed for row in cues([one], registry)]


def test_black_photos_and_a_flat_chip_are_a_site_without_cues(tmp_path: Path) -> None:
    """With the engines that read pixels."""
    build = {
        "name": "test", "workspace": "workspace", "dataset": "dataset",
        "regions": [{"name": "r", "centre": [0.0, 0.0], "radius_m": 100}],
        "sources": {"street": {"w": {"type": "world"}}, "map": {"w": {"type": "world"}}},
    }  # fmt: skip
    file = io.BytesIO()
    Image.new("RGB", (320, 240)).save(file, "PNG")
    black = records.Image(bytes=file.getvalue(), path="0.png")
    shown = view("0").model_copy(update={"image": black, "width": 320, "height": 240, "truth": None})
    (row,) = cues([site(shown)], Registry(parse_build(build, base=tmp_path)))
    assert (row.status, row.reason, row.cues) == ("failed", Reason.NO_CUES, [])


def test_engines_are_made_once_a_process_however_many_threads_ask(registry: Registry) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> tuple[int, int, int]:
        start.wait()
        mine = registry_of(registry.build)
        return id(mine), id(mine.ocr), id(mine.segmenter)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
