"""Starts the stand-in: `python -m tools.dev.standin --port 8765`."""

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cv2
import typer

from pipeline.errors import ConfigError
from tools.dev.standin.fault_rules import Plan, read_plan
from tools.dev.standin.faults import FAULTS, Provider
from tools.dev.standin.running import DEFAULT_KEY, SEED
from tools.dev.standin.serving import serving


def main(
    port: Annotated[
        int, typer.Option(help="Of the APIs; pictures at the next, the trap at the one after; 0: any.")
    ] = 8765,
    faults: Annotated[Path | None, typer.Option(help="Plan of what goes wrong (YAML).")] = None,
    fault_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of requests and photos with a fault.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the towns and of what goes wrong.")] = SEED,
    log: Annotated[Path, typer.Option(help="Log of requests; begun anew.")] = Path("out/standin-requests.jsonl"),
    corpus: Annotated[Path | None, typer.Option(help="Folder with MANIFEST.jsonl, real photos and tiles.")] = None,
    key: Annotated[str, typer.Option(envvar="STANDIN_KEY", help="The key that is accepted.")] = DEFAULT_KEY,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Print all faults and end.")] = False,
) -> None:
    """A local server that plays Panoramax, Mapillary, KartaView, tile servers and Overpass, faults and all.

    It prints its addresses as one line of JSON when it is up, and runs until Ctrl-C.
    """
    if list_faults:
        _print_faults()
        return
    if corpus is not None and not (corpus / "MANIFEST.jsonl").is_file():
        raise typer.BadParameter(f"no MANIFEST.jsonl in {corpus}", param_hint="--corpus")
    try:
        plan = read_plan(faults) if faults else Plan()
    except ConfigError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from error
    if fault_share is not None:
        plan = plan.model_copy(update={"share": fault_share})
    cv2.setNumThreads(1)
    try:
        asyncio.run(_serve(port, plan, seed, log, corpus, key))
    except OSError as error:
        typer.echo(f"cannot listen or log: {error}", err=True)
        raise typer.Exit(1) from error


async def _serve(port: int, plan: Plan, seed: int, log: Path, corpus: Path | None, key: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serving(port, plan, seed, log, corpus, key) as where:
        typer.echo(json.dumps(asdict(where)))
        sys.stdout.flush()
        await stopped.wait()


def _print_faults() -> None:
    for fault, about in FAULTS.items():
        whose = "" if about.providers == frozenset(Provider) else f" of {', '.join(sorted(about.providers))}"
        where = ", ".join(f"{part}{'*' if part in about.dealt else ''}" for part in sorted(about.parts))
        typer.echo(f"{fault:20}{about.kind:11}{about.text}\n{'':31}{where}{whose}")
    typer.echo("* where a fault share deals it; elsewhere only a plan does")


if __name__ == "__main__":
    typer.run(main)
