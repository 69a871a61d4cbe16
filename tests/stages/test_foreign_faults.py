"""Sources, engines and captioners that fail in ways of their own: the site has a reason, the others their rows."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.boundary import FIRST_SITES
from pipeline.captioning.base import Evidence
from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.units import NotDrawnError, sample_region
from pipeline.errors import MachineError, SiteError
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.perception.base import View
from pipeline.registry.registry import Registry
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldAerialSource, WorldMapSource, WorldStreetSource
from pipeline.stages.captions import captions
from pipeline.stages.cues import cues
from pipeline.stages.imagery import imagery
from schemas.reasons import Reason
from schemas.records import CueRow, ImageryRow, Site
from tests.engine.conftest import SMALL, changed


def broken(*_: object) -> Any:
    raise AttributeError("'NoneType' object has no attribute 'get'")


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return parse_build(changed(SMALL, {"imagery__search_radius_m": 60}), base=tmp_path)


@pytest.fixture
def registry(build: Build) -> Registry:
    return Registry(build)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> list[Site]:
    build = parse_build(SMALL, base=tmp_path_factory.mktemp("sites"))
    return sample_region(build, Registry(build), build.regions[0])[:5]


@pytest.fixture(scope="module")
def rows(sites: list[Site], tmp_path_factory: pytest.TempPathFactory) -> list[ImageryRow]:
    return imagery(sites, Registry(parse_build(SMALL, base=tmp_path_factory.mktemp("rows"))))


def test_a_source_that_fails_on_one_site_fails_that_site(
    sites: list[Site], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = WorldStreetSource.near

    def odd(self: WorldStreetSource, point: Point, radius_m: float) -> list[Photo]:
        if point.lat == sites[2].lat:
            broken()
        return near(self, point, radius_m)

    monkeypatch.setattr(WorldStreetSource, "near", odd)
    found = imagery(sites, registry)
    assert [row.reason for row in found] == [None, None, Reason.BAD_ANSWER, None, None]
    assert "street source town: near: AttributeError: 'NoneType' object has" in (found[2].detail or "")


def test_photos_and_chips_that_fail_leave_the_site_the_others(
    sites: list[Site], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, first = WorldStreetSource.read, set[str]()

    def odd(self: WorldStreetSource, photo: Photo) -> bytes:
        if not first or photo.source_id in first:
            first.add(photo.source_id)
            broken()
        return read(self, photo)

    monkeypatch.setattr(WorldStreetSource, "read", odd)
    monkeypatch.setattr(WorldAerialSource, "chip", broken)
    (row,) = imagery(sites[:1], registry)
    assert row.status == "ok"
    assert [(view.view, view.reason) for view in row.missing] == [("aerial", "bad_answer"), ("street", "bad_answer")]
    assert {one.source_id for one in row.considered if "AttributeError" in one.verdict} == first


def test_text_that_no_file_can_hold_fails_the_site(
    sites: list[Site], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = WorldStreetSource.near

    def odd(self: WorldStreetSource, point: Point, radius_m: float) -> list[Photo]:
        return [replace(photo, author="half of \ud83d") for photo in near(self, point, radius_m)]

    monkeypatch.setattr(WorldStreetSource, "near", odd)
    assert {row.reason for row in imagery(sites[:2], registry)} == {Reason.BAD_ANSWER}


def test_faces_that_cannot_be_blurred_are_not_published(
    sites: list[Site], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blurrer:
        name = "blurrer"

        def blur(self, _: Pixels) -> tuple[Pixels, int]:
            raise ValueError("a picture of odd size")

    monkeypatch.setattr(Registry, "blurrer", Blurrer())
    (row,) = imagery(sites[:1], registry)
    assert row.reason == Reason.ENGINE_FAILED
    assert "anonymiser: ValueError: a picture of odd size" in (row.detail or "")


class Engine:
    """An engine that fails on the views of one site, alone or among others."""

    def __init__(self, engine: Any, guilty: Callable[[View], bool]) -> None:
        self._engine = engine
        self._guilty = guilty
        self.name = engine.name
        self.words = getattr(engine, "words", None)

    def read(self, views: Sequence[View]) -> Any:
        if any(map(self._guilty, views)):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return self._engine.read(views)

    def segment(self, views: Sequence[View]) -> Any:
        if any(map(self._guilty, views)):
            return []  # too few, which must not shift the answers to the others
        return self._engine.segment(views)


@pytest.mark.parametrize("which", ["ocr", "segmenter"])
def test_an_engine_that_fails_on_one_site_fails_that_site(
    which: str, rows: list[ImageryRow], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = cues(rows, registry)
    guilty = {view.truth for view in rows[1].views}
    monkeypatch.setattr(Registry, which, Engine(getattr(registry, which), lambda view: view.truth in guilty))
    found = cues(rows, registry)
    assert found[1].reason == Reason.ENGINE_FAILED
    assert "RuntimeError: CUDA error" in (found[1].detail or "") or "0 answers for" in (found[1].detail or "")
    assert [row for i, row in enumerate(found) if i != 1] == [row for i, row in enumerate(sound) if i != 1]


def test_pictures_and_cues_that_fail_fail_their_site(
    rows: list[ImageryRow], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.cues.fuse", broken)
    assert {row.reason for row in cues(rows, registry)} == {Reason.ENGINE_FAILED}
    monkeypatch.setattr("pipeline.stages.cues.signatures", broken)
    assert {row.reason for row in cues(rows, registry)} == {Reason.ENGINE_FAILED}


def test_a_captioner_that_fails_on_one_site_fails_that_site(
    rows: list[ImageryRow], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[CueRow] = cues(rows, registry)
    assert all(row.status == "ok" for row in found)
    sound = captions(rows, found, registry, {})
    describe = type(registry.captioner).describe

    def odd(self: Any, sites: Sequence[Evidence]) -> Any:
        if any(one.site.site_id == rows[3].site_id for one in sites):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return describe(self, sites)

    monkeypatch.setattr(type(registry.captioner), "describe", odd)
    again = captions(rows, found, registry, {})
    assert (again[3].reason, again[3].captioner) == (Reason.ENGINE_FAILED, registry.captioner.name)
    assert [row for i, row in enumerate(again) if i != 3] == [row for i, row in enumerate(sound) if i != 3]


def test_checks_that_fail_on_a_description_fail_its_site(
    rows: list[ImageryRow], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cues(rows, registry)
    monkeypatch.setattr("pipeline.stages.captions.ground", broken)
    assert {row.reason for row in captions(rows, found, registry, {})} == {Reason.ENGINE_FAILED}


@pytest.mark.parametrize("late", [False, True])
def test_a_region_whose_sites_cannot_be_drawn_is_told_and_the_others_are_built(
    late: bool, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = WorldStreetSource.candidates

    def odd(self: WorldStreetSource, region: Region) -> Iterator[Photo]:
        for photo in candidates(self, region):
            if region.name == "south":
                if not late:
                    broken()
                photo = replace(photo, position=Point(float("nan"), 0.0))  # noqa: PLW2901
            yield photo

    monkeypatch.setattr(WorldStreetSource, "candidates", odd)
    with pytest.raises(MachineError, match="the sites of region south cannot be drawn: bad_answer"):
        run_build(build)
    registry = Registry(build)
    assert sample_region(build, registry, build.regions[0])
    with pytest.raises(NotDrawnError):
        sample_region(build, registry, build.regions[1])


def test_a_fault_of_all_sites_stops_the_build_and_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorldMapSource, "around", broken)
    monkeypatch.setattr(WorldAerialSource, "chip", lambda *_: seldom())
    many = {"sampling__max_sites": FIRST_SITES, "sampling__spacing_m": 5, "sampling__unit_resolution": 8}
    build = parse_build(changed(SMALL, many), base=tmp_path)
    with pytest.raises(MachineError) as caught:
        run_build(build, stages=("imagery",))
    assert str(caught.value).count("AttributeError") == 1
    assert "map source plan: around failed in the same way on each of the first 50 sites" in str(caught.value)


def seldom() -> None:
    raise SiteError(Reason.NO_OVERLAP, "no chip")


def test_fewer_sites_than_that_are_rows(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorldMapSource, "around", broken)
    monkeypatch.setattr(WorldAerialSource, "chip", broken)
    outcome = run_build(build, stages=("imagery",))
    assert outcome.failed == {"no_reference": outcome.sites}


def test_guarded_sources_are_what_they_were(registry: Registry) -> None:
    street, around = registry.street("north"), registry.map("north")
    assert isinstance(street, WorldStreetSource)
    assert isinstance(around, WorldMapSource)
    assert street.fingerprint()
    image = Image.open(io.BytesIO(street.read(next(street.candidates(registry.regions["north"])))))
    assert np.asarray(image).ndim == 3
