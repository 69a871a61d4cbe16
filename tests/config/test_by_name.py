"""Sections found by the name in them: what a wrong one is told, and that a table in `names` is the only list."""

from pathlib import Path
from typing import Any, Literal

import pytest

from pipeline.config import names
from pipeline.config.build import Build
from pipeline.config.by_name import section_of
from pipeline.config.sources import SourceSection, WorldStreet
from pipeline.engine.build_file import parse_build, schema_json
from pipeline.errors import ConfigError


class ToySection(SourceSection):
    type: Literal["toy"]
    height_m: float = 2.0


class ToySource:
    def __init__(self, name: str, config: ToySection) -> None: ...


def toy(**street: Any) -> dict[str, Any]:
    return {
        "name": "test",
        "workspace": "w",
        "dataset": "d",
        "regions": [{"name": "north", "centre": [55.0, 12.0], "radius_m": 300}],
        "sources": {"street": {"here": street}, "map": {"plan": {"type": "world"}}},
    }


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        parse_build(raw, base=Path())
    return str(error.value)


def test_a_line_in_the_table_is_all_that_a_source_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "type one of" in refused(toy(type="toy"))
    monkeypatch.setitem(names.STREET, "toy", f"{__name__}:ToySource")
    build = parse_build(toy(type="toy", height_m=3), base=Path())
    assert build.sources.street["here"] == ToySection(type="toy", height_m=3.0)
    assert Build.model_validate_json(build.model_dump_json()) == build
    assert '"ToySection"' in schema_json()
    assert "did you mean height_m? (type, height_m)" in refused(toy(type="toy", heigt_m=3))


@pytest.mark.parametrize(
    ("key", "section", "said"),
    [
        ("sources", {"street": {"t": {"type": "nowhere"}}}, "sources.street.t: found 'nowhere'; allowed: type one of"),
        ("sources", {"street": {"t": {"seed": 1}}}, "sources.street.t: found no type; allowed: type one of folder,"),
        ("sources", {"street": {"t": None}}, "sources.street.t: found None; allowed: a mapping of keys"),
        ("sources", {"street": {"t": {"type": ["world"]}}}, "sources.street.t: found ['world']"),
        (
            "sources",
            {"street": {"t": {"type": "panoramax", "rate": {"per_s": 1, "at_onc": 1}}}},
            "sources.street.t.rate.at_onc: found an unknown key; allowed: did you mean at_once?",
        ),
        (
            "perception",
            {"segmenters": [{"engine": "sam", "checkpoint": "x", "labels": {"library": "open_clip", "modell": 1}}]},
            "perception.segmenters.0.labels.modell: found an unknown key; allowed: did you mean model?",
        ),
        (
            "captioner",
            {"engine": "dialogue", "model": "x", "serve": {"gpu_memry": 1}},
            "captioner.serve.gpu_memry: found an unknown key; allowed: did you mean gpu_memory?",
        ),
    ],
)
def test_a_wrong_section_is_told_what_is_allowed(key: str, section: dict[str, Any], said: str) -> None:
    assert said in refused(toy(type="world") | {key: section})


def test_a_class_without_a_section_of_its_own_is_refused() -> None:
    assert section_of(names.STREET["world"]) is WorldStreet
    with pytest.raises(TypeError, match="0 parameters of the constructor"):
        section_of("pathlib:PurePath")
