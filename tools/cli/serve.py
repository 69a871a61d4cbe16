"""`geoscribe serve`: the model server of a build's captioner."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file (YAML).")],
    endpoint: Annotated[int, typer.Option(min=1, help="Which of captioner.endpoints to start, counted from 1.")] = 1,
    python: Annotated[
        Path | None, typer.Option(help="Python interpreter of the environment that has vLLM; this one if left out.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the command without starting it.")] = False,
) -> None:
    """Start vLLM with the model of a build's captioner, wait until it is ready, and print its endpoint."""
    import shlex
    import signal
    import sys

    from pipeline.config.captioning import Dialogue
    from pipeline.engine.build_file import load_build
    from pipeline.errors import ConfigError, MachineError, Problem
    from tools.serving import command, running

    settings = load_build(config).captioner
    if not isinstance(settings, Dialogue):
        raise ConfigError([Problem("captioner.engine", settings.engine, "dialogue, the captioner with a model")])
    if endpoint > len(settings.endpoints):
        raise ConfigError([Problem("--endpoint", str(endpoint), f"1 to {len(settings.endpoints)}")])
    url = settings.endpoints[endpoint - 1]
    if show:
        print(shlex.join(command(settings, python or Path(sys.executable), url)))
        return
    # SIGTERM ends it as Ctrl-C does: with vLLM, not without.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with running(settings, url, python=python) as process:
            print(f"ready: {url} serves {settings.model}; stop it with Ctrl-C", flush=True)
            code = process.wait()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return
    raise MachineError(f"vLLM ended with exit code {code}; see its output above")
