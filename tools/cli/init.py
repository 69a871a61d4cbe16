"""`geoscribe init`: writes a first build file, by flags or by questions on a terminal."""

import contextlib
import re
import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from pipeline.config.sources import SourceKind
    from tools.new_build.choices import Place


MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"
NONE = "none"
MOST_RADIUS_M = 100_000.0
T = TypeVar("T")


class Writer(StrEnum):
    """The writer of the descriptions."""

    COMPOSER = "composer"
    DIALOGUE = "dialogue"


def init(
    file: Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file to write.")] = Path("build.yaml"),
    place: Annotated[
        str | None,
        typer.Option(help="Id of a region (`geoscribe regions list`), LAT,LON in degrees, or `world`: a drawn town."),
    ] = None,
    radius_m: Annotated[
        float | None,
        typer.Option(
            "--radius-m", help="Radius around LAT,LON in metres, 1000 if left out; a listed region has its own."
        ),
    ] = None,
    street: Annotated[
        str | None, typer.Option(help="panoramax, mapillary, kartaview, or the path of an index of your photos.")
    ] = None,
    aerial: Annotated[
        str | None, typer.Option(help="A listed source that covers the place, or none. The finest one if left out.")
    ] = None,
    map_: Annotated[
        str | None, typer.Option("--map", help="overture, overpass, none, or the path of a map file (.osm.pbf ...).")
    ] = None,
    writer: Annotated[
        Writer | None, typer.Option(help="`composer`: rules, without a model; `dialogue`: a vision-language model.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help=f"Name of the model, with `--writer dialogue`; {MODEL} if left out.")
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Base URL of the model's server.")] = "http://127.0.0.1:8000/v1",
    max_sites: Annotated[int, typer.Option("--max-sites", min=1, help="Maximum number of sites.")] = 200,
    contact: Annotated[
        str | None, typer.Option(help="Mail address or page, for the User-Agent; overpass requires it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the build; after the place or the file if left out.")
    ] = None,
) -> None:
    """Write a commented build file for a place. On a terminal it asks for place, sources and writer."""
    from pipeline.errors import ConfigError, Problem
    from tools.new_build.choices import RADIUS_M, place_of, sources_for, wanting
    from tools.new_build.writing import Answers, build_text
    from tools.output import writing

    if file.exists():
        raise ConfigError([Problem("CONFIG", f"{file}, which exists", "the path of a new file")])
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if place is None and not asks:
        raise ConfigError([Problem("--place", "nothing, and no terminal to ask on", "an id, LAT,LON or world")])
    where = place_of(place) if place is not None else _ask("Place (id of a region, LAT,LON, or world)", None, place_of)
    if radius_m is None:
        radius_m = _ask("Radius in metres", f"{RADIUS_M:g}", _radius) if asks and not where.catalogue else RADIUS_M
    given: dict[SourceKind, str | None] = {"street": street, "aerial": aerial, "map": map_}
    sources: dict[SourceKind, str] = {}
    for kind, named in given.items():
        checked = _checked(where, kind, sources)
        if named is not None or not asks:
            sources[kind] = checked(named if named is not None else sources_for(where, kind)[0])
            continue
        known = sources_for(where, kind)
        others = [] if kind == "street" or NONE in known else [NONE]
        sources[kind] = _ask(f"{kind.capitalize()} source ({', '.join([*known, *others])})", known[0], checked)
    if writer is None:
        writer = _ask("Writer (composer, dialogue)", "composer", _writer) if asks else Writer.COMPOSER
    if model is not None and writer is Writer.COMPOSER:
        raise ConfigError([Problem("--model", f"{model!r} with the composer", "--writer dialogue")])
    if asks and any("contact" in one for one in wanting(sources, contact)):
        contact = _ask("Contact (mail address or page, which a source requires)", None, _contact)
    answers = Answers(
        name=name or where.catalogue or ("world" if where.world else _name(file)),
        place=where,
        radius_m=radius_m,
        sources=sources,
        max_sites=max_sites,
        model=(model or MODEL) if writer is Writer.DIALOGUE else None,
        endpoint=endpoint,
        contact=contact,
    )
    text = build_text(answers, file)
    with writing(file, "CONFIG"), file.open("x", encoding="utf-8") as out:
        out.write(text)
    print(f"build file: {file}")
    for one in wanting(sources, contact):
        print(f"before a build: {one}")
    print(f"next: geoscribe plan {shlex.quote(str(file))}")


def _ask(question: str, default: str | None, read: Callable[[str], T]) -> T:
    """Ask until an answer can be used; of one that cannot, say what could."""
    from pipeline.errors import ConfigError

    while True:
        try:
            return read(typer.prompt(question, default=default).strip())
        except ConfigError as error:
            for problem in error.problems:
                print(f"  not {problem.found}; allowed: {problem.allowed}")


def _checked(place: "Place", kind: "SourceKind", others: "dict[SourceKind, str]") -> Callable[[str], str]:
    """Reads the name of a source, beside others that are chosen: a site needs an aerial or a map view."""
    from pipeline.errors import ConfigError, Problem
    from tools.new_build.choices import check_source

    def read(answer: str) -> str:
        check_source(place, kind, answer)
        if kind == "map" and answer == others.get("aerial") == NONE:
            raise ConfigError([Problem("--map", "none, and no aerial source", "at least one of the two")])
        return answer

    return read


def _radius(answer: str) -> float:
    from pipeline.errors import ConfigError, Problem

    with contextlib.suppress(ValueError):
        if 0 < float(answer) <= MOST_RADIUS_M:
            return float(answer)
    raise ConfigError([Problem("--radius-m", repr(answer), f"more than 0, up to {MOST_RADIUS_M:,.0f}")])


def _contact(answer: str) -> str:
    from pydantic import ValidationError

    from pipeline.config.network import Network
    from pipeline.errors import ConfigError, Problem

    try:
        Network(contact=answer)
    except ValidationError as error:
        raise ConfigError([Problem("--contact", repr(answer), "a mail address or an http(s) URL")]) from error
    return answer


def _writer(answer: str) -> Writer:
    from pipeline.errors import ConfigError, Problem

    try:
        return Writer(answer)
    except ValueError:
        raise ConfigError([Problem("--writer", repr(answer), "composer or dialogue")]) from None


def _name(file: Path) -> str:
    """The name of the build that a file's name stands for."""
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:63] or "build"
