"""`geoscribe init`: writes a first build file, by flags or by questions on a terminal."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.config.sources import SourceKind


MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"


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
        float, typer.Option("--radius-m", help="Radius around LAT,LON in metres; a listed region has its own.")
    ] = 1000.0,
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
    """Write a commented build file for a place. Asks what no option says, if there is a terminal to ask on."""
    from pipeline.errors import ConfigError, Problem
    from tools.new_build.choices import check_source, place_of, sources_for
    from tools.new_build.writing import Answers, build_text
    from tools.output import writing

    if file.exists():
        raise ConfigError([Problem("CONFIG", f"{file}, which exists", "the path of a new file")])
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if place is None and not asks:
        raise ConfigError([Problem("--place", "nothing, and no terminal to ask on", "an id, LAT,LON or world")])
    where = place_of(place if place is not None else typer.prompt("Place (id of a region, LAT,LON, or world)"))
    given: dict[SourceKind, str | None] = {"street": street, "aerial": aerial, "map": map_}
    sources: dict[SourceKind, str] = {}
    for kind, named in given.items():
        known = sources_for(where, kind)
        usual = typer.prompt(f"{kind} ({', '.join(known)})", default=known[0]) if asks and named is None else known[0]
        sources[kind] = usual if named is None else named
        check_source(where, kind, sources[kind])
    if writer is None:
        writer = _writer(typer.prompt("Writer (composer, dialogue)", default="composer")) if asks else Writer.COMPOSER
    if model is not None and writer is Writer.COMPOSER:
        raise ConfigError([Problem("--model", f"{model!r} with the composer", "--writer dialogue")])
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
    print(f"next: geoscribe plan {file}")


def _writer(answer: str) -> Writer:
    from pipeline.errors import ConfigError, Problem

    try:
        return Writer(answer)
    except ValueError:
        raise ConfigError([Problem("writer", repr(answer), "composer or dialogue")]) from None


def _name(file: Path) -> str:
    """The name of the build that a file's name stands for."""
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:63] or "build"
