"""`geoscribe models`: the models that engines take by name, and how they get into the folder that they are kept in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tools.cli.console import plain_console, print_table

if TYPE_CHECKING:
    from pipeline.perception.models.store import ModelInUse

models_app = typer.Typer(help="Models that engines take by name.", no_args_is_help=True)


@models_app.command("list")
def list_models(
    notes: Annotated[bool, typer.Option(help="Say more of each: where it comes from, what it was trained on.")] = False,
) -> None:
    """List the named models: engine, size, licence, and whether they are on this machine."""
    from pipeline.perception.models.listing import listing
    from pipeline.perception.models.store import models_folder

    table = Table("name", "engine", "megabytes at most", "licence", "here", box=None, pad_edge=False)
    for name, model in listing().items():
        here = all((models_folder() / name / file.name).is_file() for file in model.files)
        licence = f"{model.licence} ({model.terms})" if model.terms else model.licence
        size = f"{sum(file.max_bytes for file in model.files) / 1e6:,.1f}"
        table.add_row(name, model.engine, size, licence, "yes" if here else "no")
    print_table(table)
    console = plain_console()
    console.print(f"kept in {models_folder()}", soft_wrap=True, highlight=False)
    if not notes:
        print("--notes says where each comes from and what it was trained on; geoscribe models get NAME downloads it")
        return
    for name, model in listing().items():
        console.print(f"\n{name}: {model.about}", soft_wrap=True, highlight=False, markup=False)
        console.print(f"  {model.page}", soft_wrap=True, highlight=False, markup=False)
        console.print(f"  trained on {model.trained_on}", soft_wrap=True, highlight=False, markup=False)


@models_app.command("get")
def get_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `geoscribe models list` has them.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Take the files from this folder, or this file, and not the network.")
    ] = None,
) -> None:
    """Download models, or take their files from a folder, and check them against the listing."""
    from pipeline.errors import ConfigError, Problem
    from pipeline.perception.models.listing import listing

    unknown = [name for name in names if name not in listing()]
    if unknown:
        raise ConfigError([Problem("NAME", ", ".join(unknown), ", ".join(listing()))])
    if source is not None and len(names) > 1:
        raise ConfigError([Problem("--from", f"for {len(names)} models", "one model at a time")])
    for name in names:
        model = _fetched(name) if source is None else _taken(name, source)
        print(f"{name}: {model.files[0].parent}")
        print(f"  SHA-256 {model.sha256}")


def _fetched(name: str) -> "ModelInUse":
    from pipeline.config.network import Network
    from pipeline.net.client import HttpClient
    from pipeline.perception.models.download import download
    from pipeline.perception.models.listing import listing

    def told(file: str, done: int, total: int) -> None:
        print(f"  {file}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    client = HttpClient(Network())
    try:
        return download(name, listing()[name], client, told)
    finally:
        client.close()


def _taken(name: str, source: Path) -> "ModelInUse":
    from pipeline.perception.models.download import take
    from pipeline.perception.models.listing import listing

    return take(name, listing()[name], source)
