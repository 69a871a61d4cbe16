"""Reading a build file: YAML to `Build`, with every mistake named by its key, what was found and what is allowed."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, create_model

from pipeline.config.base import Section
from pipeline.config.build import Build, Region
from pipeline.config.sources import KINDS, FolderSource, MapFiles, RasterSource, WorldStreet
from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from pipeline.regions.expand import CatalogueRegion, expand

_PLACES = frozenset({"archive", "cache", "release"})
"""Keys whose value is a path, or an address."""


def schema_json() -> str:
    """The JSON Schema of the build file, as checked in beside the configurations.

    It is `Build`'s, with the shorter forms of regions that `pipeline.regions.expand` turns into whole ones.
    """
    regions = Annotated[list[Region | CatalogueRegion], Field(min_length=1)] | Literal["catalogue"]
    written: type[BaseModel] = create_model("Build", __base__=Build, __doc__=Build.__doc__, regions=(regions, ...))
    return json.dumps(written.model_json_schema(), indent=1, sort_keys=True) + "\n"


def load_build(path: Path) -> Build:
    """Read and check a build file. Relative paths in it are taken from its own folder.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(str(path), error.strerror or str(error), "a readable YAML file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), " ".join(str(error).split()), "valid YAML in UTF-8")]) from error
    if not isinstance(raw, dict):
        raise ConfigError([Problem(str(path), type(raw).__name__, "a mapping of keys")])
    return parse_build(raw, base=path.parent)


def parse_build(raw: dict[str, Any], *, base: Path) -> Build:
    """Check a build given as a mapping; relative paths are taken from `base`.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    if "regions" in raw:
        raw = raw | {"regions": expand(raw["regions"], base)}
    try:
        build = Build.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([_problem(detail) for detail in error.errors()]) from error
    build = _anchored(build, base)
    problems = list(_impossible(build))
    if problems:
        raise ConfigError(problems)
    return build


def _problem(detail: Any) -> Problem:
    where = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return Problem(where, "an unknown key", _siblings(detail["loc"]))
    if detail["type"] == "missing":
        return Problem(where, "nothing", "this key is required")
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        context = detail["ctx"]
        key = context["discriminator"].strip("'")
        return Problem(
            where, context.get("tag", f"no {key}"), f"{key} one of {context.get('expected_tags', 'those known')}"
        )
    return Problem(where, repr(detail["input"]) if not isinstance(detail["input"], dict) else "this section", message)


def _siblings(loc: tuple[int | str, ...]) -> str:
    """The keys allowed where an unknown one was found, with the nearest first."""
    model: Any = Build
    for part in loc[:-1]:
        model = _descend(model, part)
        if model is None:
            return "the keys in `geoscribe config schema`"
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "the keys in `geoscribe config schema`"
    known = list(model.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    listing = ", ".join(known)
    return f"did you mean {near[0]}? ({listing})" if near else listing


def _descend(model: Any, part: int | str) -> Any:
    """The model under a key path's next part; discriminated unions are passed by their tag."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        info = model.model_fields.get(str(part))
        return None if info is None else info.annotation
    args = get_args(model)
    if get_origin(model) is Annotated:
        return _descend(args[0], part)
    if get_origin(model) is dict:
        return args[1]
    if get_origin(model) in (list, tuple):
        return args[0]
    for option in args:
        if isinstance(option, type) and issubclass(option, BaseModel):
            for tag in ("type", "engine"):
                info = option.model_fields.get(tag)
                if info is not None and part in get_args(info.annotation):
                    return option
    return None


def _anchored(build: Build, base: Path) -> Build:
    """The same build with relative paths made absolute from `base`."""

    def place(value: str) -> str:
        return value if "://" in value else str((base / value).resolve())

    def anchored(section: Section) -> Section:
        # Only what moves: what is copied in counts as given in the build file.
        return section.model_copy(update={k: new for k, old in section if (new := moved(k, old)) != old})

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, Path):
            return (base / value).resolve()
        if isinstance(value, list) and value and isinstance(value[0], Path):
            return [(base / item).resolve() for item in value]
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
            "network": anchored(build.network),
        }
    )


def _impossible(build: Build) -> list[Problem]:
    """Combinations that no single section can see, and files that are not there."""
    return [*_unsourced_regions(build), *_missing_files(build), *_misused_engines(build)]


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
    problems: list[Problem] = []
    for name, street in build.sources.street.items():
        if isinstance(street, FolderSource):
            problems += _present(f"sources.street.{name}.index", street.index, folder=False)
            problems += _present(f"sources.street.{name}.root", street.root, folder=True)
    for name, aerial in build.sources.aerial.items():
        if isinstance(aerial, RasterSource):
            problems += _present(f"sources.aerial.{name}.path", aerial.path, folder=None)
    for name, files in build.sources.map.items():
        if isinstance(files, MapFiles):
            for i, file in enumerate(files.files):
                problems += _present(f"sources.map.{name}.files.{i}", file, folder=False)
    return problems


def _misused_engines(build: Build) -> list[Problem]:
    problems: list[Problem] = []
    real = [name for name, street in build.sources.street.items() if not isinstance(street, WorldStreet)]
    for key, engine in (("ocr", build.perception.ocr.engine), ("segmenter", build.perception.segmenter.engine)):
        if engine == "oracle" and real:
            problems.append(
                Problem(
                    f"perception.{key}.engine",
                    f"oracle with the real photos of {', '.join(real)}",
                    "oracle engines know only the synthetic world (sources of type world)",
                )
            )
    if build.imagery.anonymiser == "none" and real:
        problems.append(Problem("imagery.anonymiser", f"none with the real photos of {', '.join(real)}", "centerface"))
    if build.workspace == build.dataset:
        problems.append(Problem("dataset", "the same place as workspace", "a place of its own"))
    return problems


def _present(where: str, path: Path, *, folder: bool | None) -> list[Problem]:
    if not path.exists():
        return [Problem(where, f"{path}, which does not exist", "an existing folder" if folder else "an existing file")]
    if folder is not None and path.is_dir() != folder:
        return [
            Problem(
                where, f"{path}, which is a {'folder' if path.is_dir() else 'file'}", "a folder" if folder else "a file"
            )
        ]
    return []
