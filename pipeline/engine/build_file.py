"""Reads build files. Each mistake is reported with its key, what was found and what is allowed."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model

from pipeline.config.base import IS_FILE, IS_FOLDER, Section
from pipeline.config.build import Build, source_name
from pipeline.config.by_name import ByName
from pipeline.config.region import Region
from pipeline.config.sources import KINDS, WorldStreet
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError, Problem
from pipeline.regions.catalogue import continent_at
from pipeline.regions.expand import CatalogueRegion, expand

_PLACES = frozenset({"archive", "cache", "release"})
"""Keys whose value is a path, or an address."""
_MOST_PROBLEMS = 50
_LONGEST = 200
"""Characters of a value in a message."""


def build_schema() -> dict[str, Any]:
    """The JSON Schema of the build file, with a description of every key.

    It is `Build`'s, with the shorter forms of regions that `pipeline.regions.expand` turns into whole ones.
    """
    regions = Annotated[list[Region | CatalogueRegion], Field(min_length=1)] | Literal["catalogue"]
    about = Build.model_fields["regions"].description
    whole = Annotated[regions, Field(description=about)]
    written: type[BaseModel] = create_model("Build", __base__=Build, __doc__=Build.__doc__, regions=(whole, ...))
    schema = written.model_json_schema()
    for section in schema["$defs"].values():
        for key, value in section["properties"].items():
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
        raise ConfigError([Problem(str(path), type(raw).__name__, "a mapping of keys")])
    return parse_build(raw, base=path.parent)


def parse_build(raw: dict[str, Any], *, base: Path) -> Build:
    """Check a build given as a mapping. Relative paths are relative to `base`.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    if "regions" in raw:
        raw = raw | {"regions": expand(raw["regions"], base)}
    try:
        build = Build.model_validate(raw)
    except ValidationError as error:
        problems = [_problem(detail, raw) for detail in error.errors(include_url=False)[:_MOST_PROBLEMS]]
        if error.error_count() > _MOST_PROBLEMS:
            problems.append(Problem("build", f"and {error.error_count() - _MOST_PROBLEMS} more problems", "none"))
        raise ConfigError(problems) from error
    build = _with_continents(_anchored(build, base))
    problems = list(_impossible(build))
    if problems:
        raise ConfigError(problems)
    return build


def _with_continents(build: Build) -> Build:
    regions = [
        r if r.continent else r.model_copy(update={"continent": continent_at(*r.middle())}) for r in build.regions
    ]
    return build.model_copy(update={"regions": regions})


def _problem(detail: Any, raw: dict[str, Any]) -> Problem:
    where = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
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
            "workspace": place(build.workspace),
            "dataset": place(build.dataset),
            "sources": build.sources.model_copy(update=kinds),
            "perception": anchored(build.perception),
            "publish": anchored(build.publish),
            "network": anchored(build.network),
        }
    )


def _impossible(build: Build) -> list[Problem]:
    """Errors that concern several sections, and missing files."""
    return [*_unsourced_regions(build), *_missing_files(build), *_misused_engines(build), *_unfillable_splits(build)]


def _unsourced_regions(build: Build) -> list[Problem]:
    problems: list[Problem] = []
    for i, region in enumerate(build.regions):
        for kind in KINDS:
            defined = getattr(build.sources, kind)
            named = getattr(region, kind)
            if named is not None and named not in defined:
                problems.append(
                    Problem(
                        f"regions.{i}.{kind}",
                        repr(named),
                        f"one of sources.{kind}: {', '.join(defined) or 'none defined'}",
                    )
                )
            if named is None and len(defined) > 1:
                problems.append(
                    Problem(f"regions.{i}.{kind}", "nothing, and several are defined", f"one of {', '.join(defined)}")
                )
        problems += [
            Problem("imagery.require", view, f"views that each region has a source of: {region.name} has none")
            for view in build.imagery.require
            if source_name(build, region, view) is None
        ]
        if not build.sources.street:
            problems.append(
                Problem(f"regions.{i}.street", "a region without a street source", "define one under sources.street")
            )
        if not build.sources.aerial and not build.sources.map:
            problems.append(
                Problem(f"regions.{i}", "a region without a reference", "an aerial or a map source under sources")
            )
    return problems


def _missing_files(build: Build) -> list[Problem]:
    """Paths that do not exist, or are a file instead of a folder, or the reverse."""
    problems: list[Problem] = []
    if build.publish.takedown is not None:
        problems += _present("publish.takedown", build.publish.takedown, folder=False)
    for kind in KINDS:
        for name, section in getattr(build.sources, kind).items():
            for key, value in section:
                kinds = type(section).model_fields[key].metadata
                folder = True if IS_FOLDER in kinds else False if IS_FILE in kinds else None
                where = f"sources.{kind}.{name}.{key}"
                if isinstance(value, Path):
                    problems += _present(where, value, folder=folder)
                elif isinstance(value, list):
                    for i, path in enumerate(value):
                        problems += _present(f"{where}.{i}", path, folder=folder) if isinstance(path, Path) else []
    return problems


def _misused_engines(build: Build) -> list[Problem]:
    problems: list[Problem] = []
    real = [name for name, street in build.sources.street.items() if not isinstance(street, WorldStreet)]
    segmenters = [segmenter.engine for segmenter in build.perception.segmenters]
    for key, engines in (("ocr.engine", [build.perception.ocr.engine]), ("segmenters", segmenters)):
        if "oracle" in engines and real:
            problems.append(
                Problem(
                    f"perception.{key}",
                    f"oracle with the real photos of {', '.join(real)}",
                    "oracle engines know only the synthetic world (sources of type world)",
                )
            )
    if "oracle" in segmenters and len(segmenters) > 1:
        problems.append(
            Problem("perception.segmenters", "oracle beside others", "the oracle alone: it knows the truth")
        )
    if build.imagery.anonymiser == "none" and real:
        problems.append(Problem("imagery.anonymiser", f"none with the real photos of {', '.join(real)}", "centerface"))
    if build.workspace == build.dataset:
        problems.append(Problem("dataset", "the same place as workspace", "a place of its own"))
    return problems


def _unfillable_splits(build: Build) -> list[Problem]:
    """Split settings that no sites whatever could satisfy; the others are judged when the sites are known."""
    publish, names = build.publish, [region.name for region in build.regions]
    problems: list[Problem] = []
    unknown = sorted(set(publish.unseen_regions) - set(names))
    if unknown:
        problems.append(Problem("publish.unseen_regions", ", ".join(unknown), f"one of {', '.join(names)}"))
    if publish.unseen_regions and not publish.splits.test_unseen:
        allowed = "a share above 0, since unseen_regions names regions for it"
        problems.append(Problem("publish.splits.test_unseen", "0", allowed))
    if publish.splits.test_unseen and len(names) == 1 and "test_unseen" not in publish.allow_empty:
        found = f"{publish.splits.test_unseen:g} with a single region, which stays empty"
        allowed = "0, several regions, or test_unseen in publish.allow_empty"
        problems.append(Problem("publish.splits.test_unseen", found, allowed))
    finest = build.sampling.unit_resolution
    if publish.block_resolution is not None and publish.block_resolution > finest:
        allowed = f"at most {finest}, the resolution of a unit (sampling.unit_resolution)"
        problems.append(Problem("publish.block_resolution", str(publish.block_resolution), allowed))
    return problems


def _present(where: str, path: Path, *, folder: bool | None) -> list[Problem]:
    if not path.exists():
        return [Problem(where, f"{path}, which does not exist", "an existing folder" if folder else "an existing file")]
    if not path.is_dir() and not path.is_file():  # a pipe that nobody writes to would be waited for without end
        return [Problem(where, f"{path}, which is a pipe or a device", "a folder" if folder else "a file")]
    if folder is not None and path.is_dir() != folder:
        return [
            Problem(
                where, f"{path}, which is a {'folder' if path.is_dir() else 'file'}", "a folder" if folder else "a file"
            )
        ]
    return []
