"""Regions with a sampling, an OCR engine or a prompt set of their own; and warnings where signs cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.build import Build, ocr_of, sampling_of
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.engine.units import stage_bases
from pipeline.engine.warnings import script_at, unread_scripts
from pipeline.errors import ConfigError
from pipeline.registry.registry import Registry
from pipeline.storage import open_store
from schemas.records import CaptionRow, CueRow
from tests.command import run_here
from tests.engine.conftest import SMALL
from tools.dataset import open_dataset

NORTH, SOUTH = SMALL["regions"]
OWN: dict[str, Any] = {
    "sampling": {"max_sites": 1},
    "perception": {"ocr": {"engine": "rapidocr"}},
    "captioner": {"prompt_set": "composer-de-1"},
}


def test_a_region_is_built_with_what_it_has_of_its_own(small_build: Callable[..., Build]) -> None:
    build = small_build(regions=[NORTH, SOUTH | OWN], sampling__max_sites=2)
    run_build(build)
    store = open_store(build.workspace)
    captions, sources = dict[str, list[CaptionRow]](), dict[str, set[str]]()
    for file in list_layers(store):
        if file.layer == "captions":
            captions.setdefault(file.region, []).extend(read_rows(store, file, CaptionRow))
        if file.layer == "cues":
            found = {cue.source for row in read_rows(store, file, CueRow) for cue in row.cues if cue.kind == "text"}
            sources.setdefault(file.region, set()).update(found)
    assert {region: len(rows) for region, rows in captions.items()} == {"north": 2, "south": 1}
    assert {row.prompt_set for row in captions["north"]} == {"composer-en-1"}
    assert {row.prompt_set for row in captions["south"]} == {"composer-de-1"}
    assert all("oracle" in source for source in sources["north"])
    assert not any("oracle" in source for source in sources["south"])
    told = open_dataset(build.dataset).manifest.provenance["ocr"]
    assert isinstance(told, str)
    assert len(told.split(", ")) == 2


def test_what_one_region_has_of_its_own_changes_no_other_region_s_tables(small_build: Callable[..., Build]) -> None:
    plain = small_build(regions=[NORTH, SOUTH])
    changed = {
        key: small_build(regions=[NORTH, SOUTH | {key: value}], sampling__max_sites=6) for key, value in OWN.items()
    }
    before = [stage_bases(plain, Registry(plain), region) for region in plain.regions]
    for key, stage in (("sampling", "sites"), ("perception", "cues"), ("captioner", "captions")):
        north, south = (stage_bases(changed[key], Registry(changed[key]), r) for r in changed[key].regions)
        assert north == before[0]
        assert {name for name, base in south.items() if base != before[1][name]} - {f"{stage}.rows"} == {stage}


def test_keys_that_a_region_leaves_out_are_the_build_s(tmp_path: Path) -> None:
    raw = SMALL | {"regions": [NORTH, {"catalogue": "jp-tokyo", "sampling": {"spacing_m": 5}}]}
    build = parse_build(raw, base=tmp_path)
    north, tokyo = (sampling_of(build, region) for region in build.regions)
    assert tokyo == north.model_copy(update={"spacing_m": 5.0})
    assert (tokyo.max_sites, tokyo.unit_resolution) == (6, 10)
    few = {"method": "roads", "road_weights": {"service": 0}}
    raw = raw | {"sampling": few, "regions": [NORTH | {"sampling": {"road_weights": {"trunk": 1}}}]}
    weights = sampling_of(found := parse_build(raw, base=tmp_path), found.regions[0]).road_weights
    assert (weights.service, weights.trunk, weights.primary) == (0, 1, 1)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            {"sampling": {"spacing": 5}},
            r"regions.1.sampling.spacing: found an unknown key; allowed: did you mean spacing_m",
        ),
        ({"sampling": {"max_sites": 0}}, r"regions.1.sampling.max_sites"),
        ({"perception": {"segmenters": []}}, r"regions.1.perception.segmenters: found an unknown key"),
        ({"perception": {"ocr": {"engine": "tesseract"}}}, r"regions.1.perception.ocr"),
        (
            {"captioner": {"prompt_set": "progressive-en-2"}},
            r"captioner.prompt_set: found progressive-en-2, made for a dialogue",
        ),
        ({"captioner": {"prompt_set": "composer-xx-1"}}, r"captioner.prompt_set"),
    ],
)
def test_what_a_region_cannot_have_is_refused(
    small_config: Callable[..., Path], own: dict[str, Any], said: str
) -> None:
    refused = run_here("config", "check", small_config(regions=[NORTH, SOUTH | own]), environment={"COLUMNS": "300"})
    assert refused.returncode == 2
    assert said in refused.stderr


def test_a_prompt_set_of_the_build_that_no_region_uses_is_refused_before_any_work(
    small_build: Callable[..., Build],
) -> None:
    own = {"captioner": OWN["captioner"]}
    build = small_build(
        regions=[NORTH | own, SOUTH | own], captioner={"engine": "composer", "prompt_set": "composer-xx-1"}
    )
    with pytest.raises(ConfigError, match=r"composer-xx-1"):
        run_build(build)


def test_an_oracle_cannot_read_real_photos_in_any_region(tmp_path: Path) -> None:
    real = {"street": {"photos": {"type": "panoramax"}}, "map": {"plan": {"type": "world"}}}
    own = {"perception": {"ocr": {"engine": "oracle"}}}
    raw = SMALL | {"sources": real, "regions": [NORTH, SOUTH | own], "perception": {}, "imagery": {}}
    with pytest.raises(ConfigError, match=r"perception.ocr.engine: found oracle"):
        parse_build(raw, base=tmp_path)


def real_build(tmp_path: Path, *regions: dict[str, Any], **perception: Any) -> Build:
    raw = {
        "name": "real", "workspace": "w", "dataset": "d", "regions": list(regions), "perception": perception,
        "sources": {"street": {"photos": {"type": "panoramax"}}, "map": {"plan": {"type": "overpass"}}},
    }  # fmt: skip
    return parse_build(raw, base=tmp_path)


def test_regions_whose_signs_the_engine_does_not_read_are_told(tmp_path: Path) -> None:
    seoul, paris, tokyo = ({"catalogue": name} for name in ("kr-seoul", "fr-paris", "jp-tokyo"))
    korean = {"ocr": {"engine": "easyocr", "languages": ["ko", "en"]}}
    (told,) = unread_scripts(real_build(tmp_path, paris, tokyo, seoul))
    assert told.startswith("signs in Kore, which rapidocr does not read")
    assert "in kr-seoul: name an engine" in told
    assert unread_scripts(real_build(tmp_path, paris, tokyo, seoul | {"perception": korean})) == []
    assert len(unread_scripts(real_build(tmp_path, paris, tokyo, seoul, **korean))) == 1, "Japanese is not read then"


def test_a_region_off_the_catalogue_has_the_script_of_its_neighbourhood(tmp_path: Path) -> None:
    names = {"suburb": [37.45, 126.9], "ocean": [0.0, -30.0], "fiji": [-17.6, 177.45]}
    build = real_build(tmp_path, *({"name": n, "centre": at, "radius_m": 500} for n, at in names.items()))
    assert [script_at(region) for region in build.regions] == ["Kore", None, "Latn"]
    assert ocr_of(build, build.regions[0]).engine == "rapidocr"


def test_the_synthetic_world_s_signs_are_read_everywhere(small_build: Callable[..., Build]) -> None:
    seoul = {"name": "seoul", "centre": [37.56, 126.98], "radius_m": 200}
    assert unread_scripts(small_build(regions=[seoul], perception__ocr={"engine": "rapidocr"})) == []
