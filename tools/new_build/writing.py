"""The text of a new build file, checked before it is written."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.config.sources import SourceKind
from pipeline.config.strict_yaml import parse_yaml
from pipeline.engine.build_file import parse_build
from pipeline.sources.listing import listing
from tools.new_build.choices import NONE, WORLD, Place

OVERTURE = "s3://overturemaps-us-west-2/release/2026-10-21.0"
"""The newest release when this was written. Overture keeps the last few."""
_DEMO = "4"
"""Seed of the synthetic town."""


@dataclass(frozen=True)
class Answers:
    """The user's choices."""

    name: str
    place: Place
    radius_m: float
    sources: dict[SourceKind, str]
    """By kind: a listed source, the path of a file, or `none`."""
    max_sites: int
    model: str | None
    """Name of the model that writes; None for the composer."""
    endpoint: str
    contact: str | None


@dataclass(frozen=True)
class _Source:
    name: str
    keys: list[tuple[str, str, str]]
    """Key, value as YAML, and a comment."""


def build_text(answers: Answers, path: Path) -> str:
    """The text of a build file that `parse_build` accepts.

    Raises:
        ConfigError: an answer is no value of its key, naming the key.
    """
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701 - it is YAML; what is put in is quoted for it
    )  # fmt: skip
    chosen = {kind: _source(kind, given, path) for kind, given in answers.sources.items() if given != NONE}
    text = templates.get_template("build.yaml.jinja").render(
        path=shlex.quote(path.name),
        name=_yaml(answers.name),
        title=answers.place.name,
        title_yaml=_yaml(answers.place.name),
        place=answers.place,
        radius_m=f"{answers.radius_m:g}",
        sources=chosen,
        method="imagery",
        max_sites=answers.max_sites,
        model=_yaml(answers.model) if answers.model else None,
        endpoint=_yaml(answers.endpoint),
        contact=_yaml(answers.contact) if answers.contact else None,
    )
    parse_build(parse_yaml(text), base=path.parent)
    return text


def _source(kind: SourceKind, given: str, path: Path) -> _Source:
    if given == WORLD:
        keys = [("type", WORLD, "drawn, not real"), ("seed", _DEMO, "which town: the same for all three")]
        return _Source(f"{WORLD}-{kind}", keys)
    if Path(given).is_file():
        return _of_file(kind, Path(given), path)
    listed = listing()[given]
    about = f"{listed.licence}; needs {listed.key_env}" if listed.key_env else listed.licence
    about = about if len(about) < 60 else f"licence {about.split(';')[0]}"
    if kind == "aerial":
        return _Source(given, [("type", "xyz", ""), ("preset", given, about)])
    if given == "overture":
        return _Source(given, [("type", given, about), ("release", OVERTURE, "put the newest one here")])
    return _Source(given, [("type", given, about)])


def _of_file(kind: SourceKind, file: Path, path: Path) -> _Source:
    """Settings of a file of one's own; its path as it stands from the build file's folder."""
    here, there = path.resolve().parent, file.resolve()
    shown = there.relative_to(here) if there.is_relative_to(here) else there
    if kind == "street":
        keys = [("type", "folder", "your own photos"), ("index", _yaml(str(shown)), "")]
        keys.append(("root", _yaml(str(shown.parent)), "the folder that the index's paths are relative to"))
        return _Source("photos", keys)
    keys = [
        ("type", "files", ""),
        ("files", f"[{_yaml(str(shown))}]", "OpenStreetMap data, if `credits` say nothing else"),
    ]
    return _Source("extract", keys)


def _yaml(value: str) -> str:
    """A text as it stands in YAML: as it is where that is safe, else in quotes (JSON's are YAML's)."""
    plain = value and all(c.isascii() and (c.isalnum() or c in "-./_") for c in value) and value[0] not in "-."
    return value if plain and isinstance(parse_yaml(value), str) else json.dumps(value, ensure_ascii=False)
