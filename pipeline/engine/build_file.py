"""Reads build files. Each mistake is reported with its key, what was found and what is allowed."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model

from pipeline.config.base import Section
from pipeline.config.build import Build
from pipeline.config.by_name import ByName
from pipeline.config.patterns import WORDS
from pipeline.config.region import Region
from pipeline.config.renamed import new_name
from pipeline.config.sources import KINDS
from pipeline.config.strict_yaml import read_yaml
from pipeline.config.units import unit_of
from pipeline.engine.build_checks import impossible
from pipeline.errors import ConfigError, Problem
from pipeline.regions.catalogue import continent_at
from pipeline.regions.expand import CatalogueRegion, expand

_PLACES = frozenset({"archive", "cache", "release"})
"""Keys whose value is a path, or an address."""
_MOST_PROBLEMS = 50
_LONGEST = 200
"""Characters of a value in a message."""


def build_schema() -> dict[str, Any]:
    """The JSON Schema of the build file, with a description of every key, and under `x-unit` its unit if it has one.

    It is `Build`'s, with the shorter forms of regions that `pipeline.regions.expand` turns into whole ones.
    """
    regions = Annotated[list[Region | CatalogueRegion], Field(min_length=1)] | Literal["catalogue"]
    about = Build.model_fields["regions"].description
    whole = Annotated[regions, Field(description=about)]
    written: type[BaseModel] = create_model("Build", __base__=Build, __doc__=Build.__doc__, regions=(whole, ...))
    schema = written.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for key, value in section["properties"].items():
            unit = unit_of(key, value)
            if unit is not None:
                value["x-unit"] = unit
            if "const" in value:
                value.setdefault(
                    "description", f"`{value['const']}` selects this {'source' if key == 'type' else key}."
                )
    return schema


def schema_json() -> str:
    """The JSON Schema of the build file, as checked in beside the configurations."""
    return json.dumps(build_schema(), indent=1, sort_keys=True) + "\n"


def load_build(path: Path) -> Build:
    """Read and check a build file. Relative paths are relative to its folder.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        found = "an empty file" if raw is None else f"a {type(raw).__name__}"
        raise ConfigError([Problem(str(path), found, "a mapping of keys")])
    return parse_build(raw, base=path.parent)


def parse_build(raw: dict[str, Any], *, base: Path) -> Build:
    """Check a build given as a mapping. Relative paths are relative to `base`.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    if "regions" in raw:
        raw = raw | {"regions": expand(raw["regions"], base)}
        raw = raw | {"regions": _with_sampling(raw["regions"], raw.get("sampling", {}))}
    try:
        build = Build.model_validate(raw)
    except ValidationError as error:
        problems = [_problem(detail, raw) for detail in error.errors(include_url=False)[:_MOST_PROBLEMS]]
        if error.error_count() > _MOST_PROBLEMS:
            problems.append(Problem("build", f"and {error.error_count() - _MOST_PROBLEMS} more problems", "none"))
        raise ConfigError(problems) from error
    build = _with_continents(_anchored(build, base))
    problems = impossible(build)
    if problems:
        raise ConfigError(problems)
    return build


def _with_sampling(regions: Any, sampling: Any) -> Any:
    """Regions whose own sampling has the build's keys for those that it leaves out."""
    if not isinstance(regions, list) or not isinstance(sampling, dict):
        return regions  # the validation that follows says so
    return [
        region | {"sampling": _filled(region["sampling"], sampling)}
        if isinstance(region, dict) and isinstance(region.get("sampling"), dict)
        else region
        for region in regions
    ]


def _filled(own: dict[str, Any], build: dict[str, Any]) -> dict[str, Any]:
    """A section with another's keys for those that it leaves out, at every depth."""
    inner = {k: _filled(v, build[k]) for k, v in own.items() if isinstance(v, dict) and isinstance(build.get(k), dict)}
    return build | own | inner


def _with_continents(build: Build) -> Build:
    regions = [
        r if r.continent else r.model_copy(update={"continent": continent_at(*r.middle())}) for r in build.regions
    ]
    return build.model_copy(update={"regions": regions})


def _problem(detail: Any, raw: dict[str, Any]) -> Problem:
    where = ".".join(_key_path(detail["loc"], raw))
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch":
        message = WORDS.get(detail["ctx"]["pattern"], message)
    if detail["type"] == "extra_forbidden":
        new = new_name(where)
        if new is not None:
            return Problem(where, "a key that has another name now", new)
        return Problem(where, "an unknown key", _siblings(detail["loc"], raw))
    if detail["type"] == "missing":
        return Problem(where, "nothing", "this key is required")
    if detail["type"] == "section_name":
        return Problem(where, detail["ctx"]["found"], detail["ctx"]["allowed"])
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        context = detail["ctx"]
        key = context["discriminator"].strip("'")
        return Problem(
            where, context.get("tag", f"no {key}"), f"{key} one of {context.get('expected_tags', 'those known')}"
        )
    found = "this section" if isinstance(detail["input"], dict) else repr(detail["input"])
    return Problem(where, found if len(found) <= _LONGEST else f"{found[:_LONGEST]}...", message)


def _key_path(loc: tuple[int | str, ...], raw: Any) -> list[str]:
    """The path as the file has it: pydantic's has the tag of a section as well, which is no level of the file."""
    shown, value = [], raw
    for part in loc[:-1]:
        if isinstance(value, dict) and part not in value and part in value.values():
            continue
        shown.append(str(part))
        inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(part, int))
        value = (value.get(part) if isinstance(value, dict) else value[int(part)]) if inside else None
    return [*shown, *map(str, loc[-1:])]


def _siblings(loc: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """The keys allowed where an unknown one was found, most similar first."""
    kind: Any = Build
    value: Any = raw
    for part in loc[:-1]:
        kind, value = _below(_model(kind, value), part, value)
    model = _model(kind, value)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "the keys in `geoscribe config schema`"
    known = list(model.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    listing = ", ".join(known)
    return f"did you mean {near[0]}? ({listing})" if near else listing


def _model(kind: Any, value: Any) -> Any:
    """The type of a value of the build file, where its annotation alone does not say it."""
    if get_origin(kind) is Annotated:
        bare, *notes = get_args(kind)
        return next((note.section(value) for note in notes if isinstance(note, ByName)), bare)
    options = _sections(kind)
    return options[0] if len(options) == 1 else kind


def _below(model: Any, part: int | str, value: Any) -> tuple[Any, Any]:
    """Annotation and value under a key path's next part; None where it cannot be told."""
    if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
        return model.model_fields[str(part)].rebuild_annotation(), value.get(part)
    if get_origin(model) is dict:
        return get_args(model)[1], value.get(part)
    if get_origin(model) in (list, tuple):
        return get_args(model)[0], value[part]
    # A discriminated union: its tag is part of the path, but no level of the file.
    tagged = (o for o in _sections(model) if any(part in get_args(f.annotation) for f in o.model_fields.values()))
    return next(tagged, None), value


def _sections(union: Any) -> list[type[BaseModel]]:
    return [option for option in get_args(union) if isinstance(option, type) and issubclass(option, BaseModel)]


def _anchored(build: Build, base: Path) -> Build:
    """The same build with absolute paths."""

    def place(value: str) -> str:
        return value if "://" in value else str((base / value).resolve())

    def anchored(section: Section) -> Section:
        # Only what moves: what is copied in counts as given in the build file.
        return section.model_copy(update={k: new for k, old in section if (new := moved(k, old)) != old})

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, Path):
            return (base / value).resolve()
        if isinstance(value, list):
            return [moved(key, item) for item in value]
        if isinstance(value, str) and key in _PLACES:
            return place(value)
        return anchored(value) if isinstance(value, Section) else value

    kinds: dict[str, Any] = {
        kind: {name: anchored(section) for name, section in getattr(build.sources, kind).items()} for kind in KINDS
    }
    return build.model_copy(
        update={
            "regions": [anchored(region) for region in build.regions],
            "workspace": place(build.workspace),
            "dataset": place(build.dataset),
            "sources": build.sources.model_copy(update=kinds),
            "perception": anchored(build.perception),
            "publish": anchored(build.publish),
            "network": anchored(build.network),
        }
    )
