"""`geoscribe regions`: the catalogue of 225 regions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tools.cli.as_json import JsonOption, print_json
from tools.cli.console import plain_console, print_table
from tools.output import writing

regions_app = typer.Typer(help="The catalogue of regions.", no_args_is_help=True)


@regions_app.command("list")
def list_regions(
    continent: Annotated[str | None, typer.Option(help="Only this continent: AF, AS, EU, NA, OC or SA.")] = None,
    country: Annotated[str | None, typer.Option(help="Only this country (ISO 3166-1 alpha-2, such as JP).")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the regions: id, name, continent, population, climate, script of street signs, stratum."""
    from pipeline.regions.catalogue import CONTINENTS, catalogue

    entries = list(catalogue().values())
    _known("--continent", continent, CONTINENTS)
    _known("--country", country, sorted({entry.country for entry in entries}))
    chosen = [one for one in entries if continent in (None, one.continent) and country in (None, one.country)]
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in chosen])
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name", overflow="fold")  # gives way where the window is small: the id has it, too
    for column in ("in", "population", "climate", "script", "stratum"):
        table.add_column(column, no_wrap=True, justify="right" if column == "population" else "left")
    for entry in chosen:
        what = (entry.id, entry.name, entry.continent, f"{entry.population:,}")
        table.add_row(*what, entry.climate, entry.script, entry.stratum)
    print_table(table)
    plain_console().print(f"{len(chosen)} of {len(entries)} regions")


@regions_app.command("show")
def show_region(
    region: Annotated[str, typer.Argument(metavar="ID", help="Id, such as `jp-tokyo`.")],
    as_json: JsonOption = False,
) -> None:
    """Show a region, and which known aerial sources cover its centre."""
    from pipeline.errors import ConfigError, Problem
    from pipeline.regions.catalogue import CONTINENTS, SOURCE, catalogue, nearest_ids
    from tools.regions.covering import aerial_sources_at

    entry = catalogue().get(region)
    if entry is None:
        raise ConfigError([Problem("ID", repr(region), nearest_ids(region))])
    aerial = aerial_sources_at(entry.lat, entry.lon)
    if as_json:
        print_json({**entry.model_dump(mode="json"), "aerial_sources": aerial})
        return
    rows = {
        "id": entry.id,
        "name": entry.name,
        "country": entry.country,
        "continent": CONTINENTS[entry.continent],
        "middle": f"{entry.lat}, {entry.lon} (latitude, longitude)",
        "radius": f"{entry.radius_m / 1000:g} km",
        "population": f"{entry.population:,} ({entry.stratum})",
        "climate": f"{entry.climate} (Koeppen-Geiger)",
        "script of street signs": f"{entry.script} (ISO 15924)",
        "aerial sources": ", ".join(aerial) or "none of those listed",
        "place": f"https://www.geonames.org/{entry.geonameid}; data: {SOURCE}",
        "in a build file": f"regions: [{{catalogue: {entry.id}}}]",
    }
    for key, value in rows.items():
        plain_console().print(f"{key + ':':24}{value}", soft_wrap=True, highlight=False)


@regions_app.command("map")
def map_regions(out: Annotated[Path, typer.Option(help="Folder for regions.png and regions.html.")] = Path()) -> None:
    """Draw all regions on a map of the world: a PNG, and an HTML page without external resources."""
    from pipeline.regions.catalogue import catalogue
    from tools.regions.page import write_page
    from tools.regions.picture import draw_picture

    entries = list(catalogue().values())
    picture, page = out / "regions.png", out / "regions.html"
    with writing(picture):
        draw_picture(entries).save(picture)
    with writing(page):
        write_page(entries, page)
    print(f"map: {picture}, {page}")


def _known(option: str, given: str | None, allowed: Iterable[str]) -> None:
    from pipeline.errors import ConfigError, Problem

    if given is not None and given not in allowed:
        raise ConfigError([Problem(option, repr(given), ", ".join(allowed))])
