"""`geoscribe sources` and `geoscribe coverage`: known sources, whether they respond, and their coverage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tools.cli.as_json import JsonOption, print_json
from tools.cli.console import plain_console, print_table
from tools.output import writing

if TYPE_CHECKING:
    from tools.inspect.coverage import RegionCoverage

sources_app = typer.Typer(help="Public sources of imagery and maps.", no_args_is_help=True)


@sources_app.command("list")
def list_sources(
    kind: Annotated[str | None, typer.Option(help="Only this kind: street, aerial, drone or map.")] = None,
    notes: Annotated[bool, typer.Option(help="Print notes on each source, and why some are refused.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the known public sources: area, licence, key, limits, and the date they were checked."""
    from pipeline.config.sources import KINDS
    from pipeline.errors import ConfigError, Problem
    from pipeline.sources.listing import listing

    if kind is not None and kind not in KINDS:
        raise ConfigError([Problem("--kind", kind, ", ".join(KINDS))])
    chosen = [source for source in listing().values() if kind in (None, source.kind)]
    if as_json:
        print_json([source.model_dump(mode="json") for source in chosen])
        return
    table = Table("name", "kind", "area", "licence", "key", "limits", "checked on", box=None, pad_edge=False)
    for source in chosen:
        limits = f"{source.per_s:g}/s, {source.at_once} at once"
        if source.per_day is not None:
            limits += f", {source.per_day:,}/day"
        table.add_row(
            source.name,
            source.kind,
            source.area,
            source.licence,
            source.key_env or "none",
            "refused for its terms" if source.refused else limits,
            f"{source.checked_on} ({source.checked})",
        )
    print_table(table)
    console = plain_console()
    if not notes:
        print("--notes prints notes on each source, and why some are refused")
        return
    for source in chosen:
        refused = f"refused: {source.refused}. " if source.refused else ""
        console.print(f"\n{source.name} ({source.terms})", soft_wrap=True, highlight=False)
        console.print(Padding(Text(refused + source.notes), (0, 0, 0, 2)))


@sources_app.command("check")
def check_sources(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file (YAML).")],
    as_json: JsonOption = False,
) -> None:
    """Send one request to each source of a build: reachable, key valid, licence stated. Exit code 1 if one fails."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.ready import check_ready
    from pipeline.errors import MachineError, SiteError
    from pipeline.registry.registry import registry_of

    build = load_build(config)
    registry = registry_of(build)
    check_ready(build, registry)
    networked = registry.networked()
    if not networked and not as_json:
        print(f"{config}: no source is on the network")
    found = []
    for kind, name, region, source in networked:
        try:
            ok, said = True, source.probe(region)
        except (SiteError, MachineError) as error:
            ok, said = False, str(error)
        found.append({"kind": kind, "name": name, "region": region.name, "ok": ok, "said": said})
        if not as_json:
            print(f"{'ok   ' if ok else 'FAIL '} {kind} {name} ({region.name}): {said}")
    if as_json:
        print_json(found)
    if not all(one["ok"] for one in found):
        raise typer.Exit(1)


def coverage(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file (YAML).")],
    out: Annotated[Path, typer.Option(help="Path of the map.")] = Path("coverage.png"),
    sites: Annotated[int, typer.Option(min=1, help="Maximum number of sites per region to look at.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Count the sites of a build that have imagery, and draw them on a map. Fetches no photos."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.ready import check_ready
    from pipeline.registry.registry import registry_of
    from tools.inspect.coverage import coverage as look
    from tools.inspect.coverage import draw_coverage

    build = load_build(config)
    check_ready(build, registry_of(build))
    found = look(build, sites)
    with writing(out):
        draw_coverage(found).save(out)
    if as_json:
        print_json({"map": out, "regions": [_covered(region) for region in found]})
        return
    table = Table("region", "sites", "examined", "street", "reference", "both", "missing", box=None)
    for region in found:
        lacking = ", ".join(f"{n} {reason}" for reason, n in region.reasons().most_common())
        table.add_row(
            region.region.name,
            f"{region.sampled:,}",
            f"{len(region.sites):,}",
            f"{region.share(lambda s: s.street):.0%}",
            f"{region.share(lambda s: s.reference):.0%}",
            f"{region.share(lambda s: s.street and s.reference):.0%}",
            region.empty or lacking or "nothing",
        )
    print_table(table)
    print(f"coverage map: {out}")


def _covered(region: "RegionCoverage") -> dict[str, Any]:
    return {
        "region": region.region.name,
        "sites": region.sampled,
        "examined": len(region.sites),
        "street": sum(site.street for site in region.sites),
        "reference": sum(site.reference for site in region.sites),
        "both": sum(site.street and site.reference for site in region.sites),
        "missing": dict(region.reasons()),
        "empty": region.empty,
    }
