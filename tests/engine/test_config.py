import json
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from pipeline.config.base import Section
from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.config.renamed import renamed
from pipeline.engine.build_file import build_schema, load_build, parse_build, schema_json
from pipeline.engine.ready import check_sources
from pipeline.errors import ConfigError, Problem
from pipeline.registry.registry import Registry

ROOT = Path(__file__).parents[2]


def world_build(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "name": "test",
        "workspace": "workspace",
        "dataset": "dataset",
        "regions": [{"name": "north", "centre": [55.0, 12.0], "radius_m": 300}],
        "sources": {
            "street": {"town": {"type": "world"}},
            "aerial": {"above": {"type": "world"}},
            "map": {"plan": {"type": "world"}},
        },
    }
    return raw | changes


def refused(raw: dict[str, Any], base: Path = Path()) -> str:
    with pytest.raises(ConfigError) as error:
        parse_build(raw, base=base)
    return str(error.value)


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(raw: dict[str, Any]) -> None:
        here: Any = raw
        for part in path[:-1]:
            here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]
        here[path[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("mistake", "key", "said"),
    [
        (change("sampling", "spacng_m", to=20), "sampling.spacng_m", "did you mean spacing_m?"),
        (
            change("sampling", "spacing_m", to=-5),
            "sampling.spacing_m",
            "found -5; allowed: Input should be greater than 0",
        ),
        (change("sampling", "spacing_m", to="40 ft"), "sampling.spacing_m", "'40 ft'"),
        (change("imagery", "chips", to={"gsd_m": 30}), "imagery.chips.gsd_m", "less than or equal to 10"),
        (
            change("perception", "ocr", to={"engine": "tesseract"}),
            "perception.ocr",
            "engine one of easyocr, rapidocr, oracle",
        ),
        (change("sources", "street", to={"x": {"type": "folder", "index": "i"}}), "sources.street.x", "required"),
        (
            change("sources", "street", to={"town": {"type": "world", "sed": 1}}),
            "sources.street.town",
            "did you mean seed?",
        ),
        (change("regions", 0, "street", to="elsewhere"), "regions.0.street", "one of sources.street: town"),
        (change("regions", 0, "radius_m", to=None), "regions.0", "centre and radius_m go together"),
        (change("regions", 0, "centre", to=[155.0, 12.0]), "regions.0.centre", "less than or equal to 90"),
        (change("regions", to=[]), "regions", "at least 1 item"),
        (change("publish", "splits", to={"train": 0.9, "val": 0.2, "test_seen": 0.1}), "publish.splits", "must be 1"),
        (change("publish", "splits", to={"test": 0.1}), "publish.splits.test", "allowed: test_seen"),
        (change("captioner", to={"engine": "composer", "least_sure": 0.7}), "captioner.", "allowed: min_confidence"),
        (change("grounding", to={"verifier_floor": {"least_controls": 9}}), "grounding.", "allowed: min_controls"),
        (
            change("sources", "map", to={"osm": {"type": "overpass", "author": "A"}}),
            "sources.map.osm.author",
            "found a key that has another name now; allowed: credits.author",
        ),
        (change("publish", "shard_mb", to=float("nan")), "publish.shard_mb", "finite"),
        (change("seed", to=True), "seed", "found True; allowed: a number"),
        (change("regions", 0, "centre", to=[True, 12]), "regions.0.centre.0", "found True; allowed: a number"),
        (change("assumptions", to={"prices": {"thousand_requests": {"x": False}}}), "requests.x", "found False"),
        (change("sampling", "max_sites", to=True), "sampling.max_sites", "found True; allowed: a number"),
        (change("name", to="Not A Name"), "name", "lower-case letters"),
        (change("dataset", to="workspace"), "dataset", "a place of its own"),
        (change("dataset", to="workspace/dataset"), "dataset", "found a place within the workspace"),
        (change("workspace", to="dataset/work"), "workspace", "found a place within the dataset"),
        *((change("dataset", to=place), "dataset", "written out") for place in ("~/data", "$HOME/data", "s3://${B}/a")),
        *((change("dataset", to=place), "dataset", "without blanks") for place in (" ", "a ", "a\nb")),
        *(
            (change("dataset", to=place), "dataset", "s3://, gs:// or az:// and a bucket")
            for place in (
                "s3:/b/a",
                "s3://",
                "S3://b",
                "https://b.example.org/a",
                "file:///tmp/a",
                "C:\\data",
                "C:/data",
            )
        ),
        (change("regions", 0, to={"name": "a", "bbox": [8.6, 47.3, 8.5, 47.4]}), "regions.0", "at most 180 degrees"),
        (change("sources", "street", to={}), "regions.0.street", "define one under sources.street"),
    ],
)
def test_a_mistake_is_named_with_its_key(mistake: Callable[[dict[str, Any]], None], key: str, said: str) -> None:
    raw = world_build()
    mistake(raw)
    message = refused(raw)
    assert key in message
    assert said in message


def test_a_region_without_a_reference_is_refused() -> None:
    raw = world_build()
    del raw["sources"]["aerial"]
    del raw["sources"]["map"]
    assert "regions.0: found a region without a reference" in refused(raw)


@pytest.mark.parametrize(
    ("publish", "said"),
    [
        ({"splits": {"train": 0.9, "val": 0, "test_seen": 0, "test_unseen": 0.1}},
         "publish.splits.test_unseen: found 0.1 with a single region"),
        ({"unseen_regions": ["south"]}, "publish.unseen_regions: found south; allowed: one of north"),
        ({"unseen_regions": ["north"]}, "publish.splits.test_unseen: found 0; allowed: a share above 0"),
        ({"block_resolution": 10}, "publish.block_resolution: found 10; allowed: at most 9"),
        ({"allow_empty": ["test"]}, "publish.allow_empty.0: found 'test'"),
        ({"splits": {"test_unseen": 1.0}}, "publish.splits.test_unseen: found 1.0"),
    ],
)  # fmt: skip
def test_splits_that_no_sites_could_fill_are_refused_before_any_work(publish: dict[str, Any], said: str) -> None:
    assert said in refused(world_build(publish=publish))


def test_an_unseen_split_of_a_single_region_may_be_allowed_to_stay_empty() -> None:
    splits = {"train": 0.9, "val": 0, "test_seen": 0, "test_unseen": 0.1}
    parse_build(world_build(publish={"splits": splits, "allow_empty": ["test_unseen"]}), base=Path())


def test_every_mistake_is_named_at_once() -> None:
    message = refused(world_build(sampling={"spacing_m": -1}, limits={"workers": 0}))
    assert "sampling.spacing_m" in message
    assert "limits.workers" in message


def test_missing_files_are_named(tmp_path: Path) -> None:
    raw = world_build()
    raw["sources"]["street"] = {"photos": {"type": "folder", "index": "nothing.jsonl", "root": "."}}
    raw["sources"]["map"] = {"files": {"type": "files", "files": ["gone.osm.pbf"]}}
    message = refused(raw, tmp_path)
    assert f"sources.street.photos.index: found {tmp_path / 'nothing.jsonl'}, which does not exist" in message
    assert "sources.map.files.files.0" in message


def test_the_oracle_is_refused_with_real_photos(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").touch()
    raw = world_build(perception={"ocr": {"engine": "oracle"}}, imagery={"anonymiser": "none"})
    raw["sources"]["street"] = {"photos": {"type": "folder", "index": "index.jsonl", "root": "."}}
    message = refused(raw, tmp_path)
    assert "perception.ocr.engine: found oracle with the real photos of photos" in message
    assert "imagery.anonymiser" in message


@pytest.mark.parametrize("text", ["a: [1", "- a list", "\x00", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "build.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"build\.yaml"):
        load_build(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_build(tmp_path / "none.yaml")


def test_relative_paths_are_taken_from_the_file(tmp_path: Path) -> None:
    build = parse_build(world_build(workspace="../w", dataset="s3://bucket/d"), base=tmp_path / "configs")
    assert build.workspace == str(tmp_path / "w")
    assert build.dataset == "s3://bucket/d"


def test_a_build_survives_its_own_json() -> None:
    build = parse_build(world_build(), base=Path("/somewhere"))
    assert Build.model_validate_json(build.model_dump_json()) == build


def test_a_region_may_cross_the_antimeridian() -> None:
    region = Region(name="fiji", centre=(-17.0, 179.999), radius_m=1000)
    west, south, east, north = region.bounds()
    assert west > east
    assert south < -17.0 < north
    box = Region(name="box", bbox=(179.0, -18.0, -179.0, -16.0))
    assert box.middle() == (-17.0, -180.0)


def test_keys_of_one_meaning_have_one_name() -> None:
    names: dict[str, set[str]] = {}
    for section in build_schema()["$defs"].values():
        for key, value in section["properties"].items():
            names.setdefault(value["description"], set()).add(key)
    assert {meaning: keys for meaning, keys in names.items() if len(keys) > 1} == {}
    assert not {key for keys in names.values() for key in keys if re.match("least_|most_|longest_", key)}


OLD_NAMES = """
sources:
  street: {photos: {type: kartaview, picture_hosts: [a.org]}}
  aerial: {above: {type: raster, path: ., author: A, licence: CC0-1.0, link: "https://a.org"}}
  drone: {high: {type: openaerialmap, asset_hosts: [b.org]}}
  map: {osm: {type: overpass, author: B, licence: ODbL-1.0, link: "https://b.org"}}
captioner: {engine: %s}
grounding: {least_words: 5, most_repeated: 0.1, most_contradicted: 0.2, verifier_floor: {least_controls: 9}}
network: {longest_wait_s: 7}
publish: {splits: {train: 0.5, val: 0.2, test: 0.3}}
"""


@pytest.mark.parametrize(
    "captioner", ["composer, least_seen: 1, least_sure: 0.7, from_map: 0.5", "dialogue, model: m, most_views: 3"]
)
def test_the_record_of_a_build_with_old_names_is_read(captioner: str) -> None:
    raw = world_build() | yaml.safe_load(OLD_NAMES % captioner)
    build = Build.model_validate(renamed(raw))
    sources: Any = build.sources
    assert sources.street["photos"].allowed_hosts == ["a.org"]
    assert sources.drone["high"].allowed_hosts == ["b.org"]
    assert [sources.aerial["above"].credits.author, sources.map["osm"].credits.author] == ["A", "B"]
    assert (build.grounding.min_words, build.grounding.verifier_floor.min_controls) == (5, 9)
    assert (build.network.max_wait_s, build.publish.splits.test_seen) == (7, 0.3)
    assert raw == world_build() | yaml.safe_load(OLD_NAMES % captioner)  # left as it was
    said = refused(raw)
    for key in ("picture_hosts", "author", "asset_hosts", "least_words", "longest_wait_s"):
        assert re.search(rf"\.{key}: found a key that has another name now", said)


def test_the_schema_that_is_checked_in_is_the_one_in_force() -> None:
    text = (ROOT / "configs" / "build.schema.json").read_text()
    assert text == schema_json(), "run: geoscribe config schema > configs/build.schema.json"
    assert json.loads(text)["additionalProperties"] is False


def test_the_demo_configuration_is_sound() -> None:
    assert load_build(ROOT / "configs" / "demo.yaml").name == "demo"


BUILDS = [file for file in sorted((ROOT / "configs").rglob("*.yaml")) if file.parent.name != "retrieval"]


@pytest.mark.parametrize("file", BUILDS, ids=lambda file: file.stem)
def test_configurations_lack_no_more_than_their_photos(file: Path) -> None:
    assert [problem for problem in problems_of(file) if "does not exist" not in problem.found] == []


def problems_of(file: Path) -> list[Problem]:
    try:
        load_build(file)
    except ConfigError as error:
        return error.problems
    return []


@pytest.mark.parametrize("as_given", [date(2026, 3, 1), datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01"])
def test_dates_may_stand_without_quotes_in_every_section_that_has_one(as_given: Any, tmp_path: Path) -> None:
    credits_ = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    aerial = {
        "tiles": {"type": "xyz", "template": "https://a.example.org/{z}/{x}/{y}", "credits": credits_},
        "cogs": {"type": "cog", "urls": ["https://a.example.org/a.tif"], "credits": credits_},
        "wmts": {"type": "wmts", "capabilities": "https://a.example.org/wmts", "layer": "x", "credits": credits_},
        "archive": {"type": "pmtiles", "archive": "https://a.example.org/a.pmtiles", "credits": credits_},
    }
    for section in aerial.values():
        section["captured_on"] = as_given
    maps = {"osm": {"type": "overpass", "endpoint": "https://a.example.org/api", "extracted_on": as_given}}
    stac = {"stac": {"type": "stac", "endpoint": "https://a.example.org", "collections": ["c"], "datetime": as_given}}
    region = {"name": "north", "centre": [55.0, 12.0], "radius_m": 300, "aerial": "tiles"}
    raw = world_build(regions=[region])
    raw["sources"] |= {"aerial": aerial | stac, "map": maps}
    file = tmp_path / "build.yaml"
    file.write_text(yaml.safe_dump(raw))  # a date is written without quotes
    for build in (parse_build(raw, base=tmp_path), load_build(file)):
        sources: Any = build.sources  # each of a type of its own
        found = [sources.aerial[name].captured_on for name in aerial]
        found += [sources.map["osm"].extracted_on, sources.aerial["stac"].datetime]
        assert {str(text)[:10] for text in found} == {"2026-03-01"}
        check_sources(build, Registry(build))


def test_no_section_takes_truth_for_a_number() -> None:
    """pydantic would: each field of each section that takes 1 and not true among them."""

    def sections(kind: type[Section]) -> set[type[Section]]:
        return {kind}.union(*map(sections, kind.__subclasses__()))

    numbers = [
        (kind, name)
        for kind in sections(Section)
        for name, field in kind.model_fields.items()
        if not _types(field.annotation).isdisjoint({int, float}) and bool not in _types(field.annotation)
    ]
    assert len(numbers) > 100
    assert [(kind.__name__, name) for kind, name in numbers if not _refuses_truth(kind, name)] == []


def _types(annotation: Any) -> set[Any]:
    """The classes that an annotation names, at whatever depth."""
    if isinstance(annotation, type):
        return {annotation}
    return set().union(*map(_types, get_args(annotation)))


def _refuses_truth(kind: type[Section], name: str) -> bool:
    """Whether a field is known to be no place for true, in whatever form it would take a number."""
    for value in (True, [True], [True] * 2, [True] * 3, [True] * 4, [[True] * 4], {"x": True}):
        with pytest.raises(ValidationError) as caught:  # of most sections other keys are missing, too
            kind.model_validate({name: value, "no such key": 1})
        faults = [fault for fault in caught.value.errors() if fault["loc"][0] == name]
        if not faults:
            return False
        if any(fault["type"] == "number" for fault in faults):
            return True
    return False


@pytest.mark.parametrize("text", ["a: " + "[" * 1_500 + "]" * 1_500, 'name: "\\uD800"', "name: !!int x"])
def test_yaml_that_would_break_its_reader_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "build.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_build(file)
    (problem,) = caught.value.problems
    assert problem.where == str(file)
    assert "\n" not in str(problem)


def test_of_many_problems_and_of_long_values_the_start_is_told() -> None:
    said = refused(world_build(regions=[{"name": "x" * 10_000, "centre": [n, n]} for n in range(400)]))
    assert "more problems" in said
    assert len(said) < 100_000


def test_pipes_and_devices_are_no_inputs(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for without end."""
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "zero").symlink_to("/dev/zero")
    credits_ = {"author": "A", "licence": "CC-BY-4.0", "link": "https://example.org"}
    above = {"type": "raster", "path": "pipe.tif", "credits": credits_}
    photos = {"type": "folder", "index": "zero", "root": "."}
    plan = {"type": "files", "files": ["pipe.tif"]}
    sources = {"street": {"photos": photos}, "aerial": {"above": above}, "map": {"plan": plan}}
    said = refused(world_build(sources=sources, publish={"takedown": "pipe.tif"}), tmp_path)
    for key in ("sources.street.photos.index", "sources.aerial.above.path", "sources.map.plan.files.0"):
        assert re.search(rf"{key}: found \S+, which is a pipe or a device", said)
    assert "publish.takedown: " in said
    regions = [{"name": "north", "polygon": "pipe.tif"}]
    assert "which is a folder, a pipe or a device" in refused(world_build(regions=regions), tmp_path)
