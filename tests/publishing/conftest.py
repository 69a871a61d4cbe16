"""Finished units with real JPEGs, as the layers would hand them to publish."""

import hashlib
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import h3
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from pipeline.config.build import Build
from pipeline.digest import digest_bytes
from pipeline.engine.build_file import parse_build
from pipeline.geo.frame import LocalFrame
from pipeline.perception.signatures import signatures
from pipeline.publishing.units import FinishedUnit, UnitTables, unit_index
from schemas.arrow import to_table
from schemas.reasons import Reason
from schemas.records import (
    AERIAL,
    CaptionRow,
    Chip,
    Control,
    Cue,
    CueRow,
    Image,
    ImageryRow,
    Mask,
    MissingView,
    Position,
    Quality,
    Sentence,
    StreetView,
)

CREDIT = {"author": "A. Person", "licence": "CC-BY-SA-4.0", "link": "https://example.org/1"}


def random_for(*key: object) -> np.random.Generator:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))


def jpeg(width: int, height: int, *key: object) -> bytes:
    """Smooth noise, so that it compresses like a photo."""
    coarse = random_for(*key).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def street_view(site_id: str, lat: float, lon: float, number: int, projection: str = "perspective") -> StreetView:
    panorama = projection == "equirectangular"
    width, height = (128, 64) if panorama else (96, 72)
    view_id = f"{number}"
    return StreetView.model_validate(
        {
            **CREDIT,
            "source": "photos",
            "source_id": f"{site_id}-{number}",
            "view_id": view_id,
            "projection": projection,
            "cut_from": None,
            "lat": lat,
            "lon": lon,
            "distance_m": 0.0,
            "heading_deg": 90.0 * number,
            "pitch_deg": 0.0,
            "hfov_deg": 360.0 if panorama else 64.0,
            "captured_at": datetime(2024, 5, 1, 12, number, tzinfo=UTC) if number else None,
            "width": width,
            "height": height,
            "quality": Quality(sharpness=90.0, contrast=40.0, entropy=7.0, darkness=0.1),
            "faces_blurred": number,
            "phash": random_for("phash", site_id, number).bytes(8).hex(),
            "image": Image(bytes=jpeg(width, height, site_id, number), path=f"{site_id}-{number}.jpg"),
            "truth": None,
        }
    )


def chip(site_id: str, lat: float, lon: float, kind: str) -> Chip:
    frame = LocalFrame(lat, lon)
    west, south, east, north = frame.chip_bbox(64, 0.3)
    return Chip.model_validate(
        {
            **CREDIT,
            "licence": "ODbL-1.0" if kind == "map" else "CC-BY-4.0",
            "source": "osm" if kind == "map" else "ortho",
            "source_id": f"{kind}-{site_id}",
            "gsd_m": 0.3,
            "width": 64,
            "height": 64,
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "crs": frame.crs,
            "captured_at": datetime(2023, 7, 1, tzinfo=UTC),
            "covered": 1.0,
            "phash": None if kind == "map" else random_for("phash", site_id, kind).bytes(8).hex(),
            "image": Image(bytes=jpeg(64, 64, site_id, kind), path=f"{site_id}-{kind}.jpg"),
        }
    )


def sign_of(site_id: str) -> str:
    """The words of a sign that no other site has."""
    letters = random_for("sign", site_id).choice(list("abdegiklmnoprstu"), (3, 6))
    return " ".join("".join(word).title() for word in letters)


def cues(views: Sequence[StreetView], sign_text: str) -> list[Cue]:
    nothing = dict.fromkeys(name for name, field in Cue.model_fields.items() if field.is_required())
    sign = {
        "cue_id": "t1", "kind": "text", "label": "sign", "text": sign_text, "script": "Latn",
        "position": Position.AHEAD_LEFT, "depth": "near", "confidence": 0.97, "source": "rapidocr 3.10.0",
        "view_id": views[0].view_id, "polygon": [10.0, 10.0, 40.0, 10.0, 40.0, 20.0, 10.0, 20.0], "area_share": 0.04,
        "mask": Mask(height=72, width=96, counts="PPY1"), "lasting": True,
    }  # fmt: skip
    road = {
        "cue_id": "m1", "kind": "map", "label": "road", "category": "tertiary", "text": "Ferry Lane", "distance_m": 4.0,
        "bearing_deg": 12.0, "confidence": 1.0, "source": "osm", "lasting": True,
    }  # fmt: skip
    return [Cue.model_validate(nothing | sign), Cue.model_validate(nothing | road)]


@cache
def site_rows(region: str, unit: str, number: int) -> tuple[ImageryRow, CueRow, CaptionRow]:
    """One site. Number 1 of a unit has a panorama and two more views, number 2 lacks the aerial chip."""
    site_id = f"{region}-{unit}-{number:03d}"
    centre = h3.cell_to_latlng(unit)
    east, north = random_for("place", site_id).uniform(-60, 60, 2)
    lon, lat = (float(degrees) for degrees in LocalFrame(*centre).to_degrees(east, north))
    views = [street_view(site_id, lat, lon, 0)]
    if number == 1:
        views = [street_view(site_id, lat, lon, 1, "equirectangular"), *views]
        views += [street_view(site_id, lat, lon, 2), street_view(site_id, lat, lon, 3)]
    missing = [MissingView(view="aerial", reason=Reason.NO_OVERLAP, detail="outside")] if number == 2 else []
    ok: dict[str, Any] = {"site_id": site_id, "status": "ok", "reason": None, "detail": None}
    imagery = ImageryRow(
        **ok,
        region=region,
        unit=unit,
        lat=lat,
        lon=lon,
        weight=1.5,
        views=views,
        aerial=None if missing else chip(site_id, lat, lon, "aerial"),
        map=chip(site_id, lat, lon, "map"),
        facts=[],
        missing=missing,
    )
    sign = f"On the left is a sign, “{sign_of(site_id)}”."
    long, short = f"{sign} A small road passes by.", "A bookshop. A small road."
    caption = CaptionRow(
        **ok,
        language="en",
        long=long,
        short=short,
        long_tokens=20,
        short_tokens=9,
        sentences=[
            Sentence(variant="long", text=sign, cue_ids=["t1"]),
            Sentence(variant="long", text="A small road passes by.", cue_ids=["m1"]),
            Sentence(variant="short", text="A bookshop.", cue_ids=["t1"]),
            Sentence(variant="short", text="A small road.", cue_ids=["m1"]),
        ],
        captioner="composer 1",
        prompt_set="composer-en-1",
        model=None,
    )
    flat = [view for view in views if view.projection == "perspective"]
    pictures = {view.view_id: view.image for view in flat} | ({AERIAL: imagery.aerial.image} if imagery.aerial else {})
    looks = [s for name, image in pictures.items() for s in signatures(name, pixels_of(image))]
    return imagery, CueRow(**ok, cues=cues(flat, sign_of(site_id)), signatures=looks), caption


def pixels_of(image: Image) -> NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(image.bytes)).convert("RGB"))


def failed(row: ImageryRow, reason: Reason) -> ImageryRow:
    return row.model_copy(
        update={
            "status": "failed", "reason": reason, "detail": "as found", "views": [], "aerial": None, "map": None,
            "missing": [],
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_unit() -> Callable[..., FinishedUnit]:
    """Makes a unit: `make_unit(region, unit, sites=4, bad=1)` has four good sites and one without a photo.

    `change` is called with each site's imagery row and returns the one to use; `controls` were put for each good site.
    """

    def make(
        region: str,
        unit: str,
        *,
        sites: int = 4,
        bad: int = 0,
        change: Callable[[ImageryRow], ImageryRow] | None = None,
        controls: Sequence[Control] = (),
    ) -> FinishedUnit:
        rows = [site_rows(region, unit, number) for number in range(sites + bad)]
        imagery = [(change or (lambda row: row))(row) for row, _, _ in rows[:sites]]
        imagery += [failed(row, Reason.NO_STREET_VIEW) for row, _, _ in rows[sites:]]
        # The layers' rows are in different orders, and join must not mind.
        tables = UnitTables(
            imagery=to_table(ImageryRow, imagery),
            cues=to_table(CueRow, [cue for _, cue, _ in reversed(rows[:sites])]),
            captions=to_table(
                CaptionRow, [c.model_copy(update={"controls": list(controls)}) for _, _, c in rows[:sites]]
            ),
        )
        return FinishedUnit(
            region=region,
            unit=unit,
            content=digest_bytes(repr([table.to_pylist() for table in vars(tables).values()]).encode()),
            size=tables.imagery.nbytes,
            rows=sites + bad,
            load=lambda: tables,
            load_index=lambda: unit_index(tables),
            load_credits=lambda: tables.imagery,
        )

    return make


@pytest.fixture(scope="session")
def make_build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Build]:
    """Makes a build of the regions `north` and `south`; keyword arguments are keys of its section `publish`.

    Its splits may stay empty where nothing else is said: many tests publish a unit or two.
    """

    def make(**publish: Any) -> Build:
        world = {"type": "world"}
        return parse_build(
            {
                "name": "small",
                "workspace": "work",
                "dataset": "out",
                "regions": [
                    {"name": "north", "bbox": [13.0, 52.0, 14.0, 53.0]},
                    {"name": "south", "bbox": [18.0, -34.5, 19.0, -33.5]},
                ],
                "sources": {"street": {"photos": world}, "aerial": {"ortho": world}, "map": {"osm": world}},
                "imagery": {"chips": {"size_px": 64}},
                "publish": {"allow_empty": ["train", "val", "test_seen"]} | publish,
            },
            base=Path(tmp_path_factory.mktemp("build")),
        )

    return make


@pytest.fixture(scope="session")
def units(make_unit: Callable[..., FinishedUnit]) -> list[FinishedUnit]:
    """Nine units of two regions in nine blocks, 40 good sites and 3 bad."""
    north = [h3.latlng_to_cell(52.2 + 0.05 * i, 13.2 + 0.03 * i, 9) for i in range(6)]
    south = [h3.latlng_to_cell(-34.2 + 0.05 * i, 18.3, 9) for i in range(3)]
    made = [make_unit("north", cell, sites=5, bad=int(i == 0)) for i, cell in enumerate(north)]
    return made + [make_unit("south", cell, sites=3 + i % 2, bad=int(i > 0)) for i, cell in enumerate(south)]
