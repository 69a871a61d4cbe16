"""`geoscribe export`: a dataset in the format of another tool."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from pipeline.errors import ConfigError, Problem
from pipeline.quantity import quantity
from tools.export.formats import FORMATS


def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write, empty or not there.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the format, such as split=test."),
    ] = None,
) -> None:
    """Write a dataset in the format of another tool, with a credit for every picture."""
    from tools.dataset import open_dataset
    from tools.export.base import export as write
    from tools.export.settings import format_of

    target = write(open_dataset(dataset), out, format_of(form, _given(settings or [])))
    print(f"{quantity(target.taken, 'sample')} exported to {out}")
    for reason, count in sorted(target.reasons.items()):
        print(f"{count} left out: {reason}")
    forbidden = target.manifest.counts.not_redistributable
    if forbidden:
        print(
            f"the dataset has {quantity(forbidden, 'sample')} with pictures that may not be passed on: keep the "
            "export to yourself"
        )


def _given(settings: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key or key in found:
            raise ConfigError([Problem("--set", setting, "KEY=VALUE, each key once")])
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError([Problem(f"--set {key}", value, "a value as in YAML: 5, name, [a, b]")]) from error
    return found
