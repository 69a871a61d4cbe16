"""The `geoscribe` command.

Exit codes: 0 done; 1 finished, but more sites or regions failed or more views are missing than the build file allows,
the dataset would have shrunk, `verify` found faults, or `diff` differences; 2 the build file, an input or the usage is
wrong, and nothing was done; 3 stopped, by the user, by an outage or by an error of the machine.
"""

import io
import logging
import re
import sys
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.boundary import last_line
from pipeline.errors import BuildStopped, ConfigError, MachineError, one_line
from pipeline.net import redact
from pipeline.quantity import quantity
from tools.cli.as_json import JsonOption, print_json
from tools.cli.audit import audit_app
from tools.cli.building import ConfigArgument, build, plan, publish, retry
from tools.cli.diff import diff
from tools.cli.export import export
from tools.cli.init import init
from tools.cli.log_file import is_ours_to_tell
from tools.cli.models import models_app
from tools.cli.publish import merge, subset
from tools.cli.regions import regions_app
from tools.cli.retrieval import retrieval_app
from tools.cli.serve import serve
from tools.cli.sources import coverage, sources_app
from tools.cli.workspaces import gc, status
from tools.output import lasting, writing

BAD_INPUT, STOPPED = 2, 3


class _Commands(TyperGroup):
    """All commands. Ctrl-C ends each of them with the exit code that it ends a build with, at a question as well."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was given."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as error:
            print("\nstopped", file=sys.stderr)
            raise BuildStopped from error


app = typer.Typer(
    cls=_Commands,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The build file.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(sources_app, name="sources")
app.add_typer(regions_app, name="regions")
app.add_typer(models_app, name="models")
app.add_typer(retrieval_app, name="retrieval")
app.command()(init)
app.command()(plan)
_BEAM_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": False}
app.command(context_settings=_BEAM_OPTIONS)(build)
app.command(context_settings=_BEAM_OPTIONS)(publish)
app.command(context_settings=_BEAM_OPTIONS)(retry)
app.command()(status)
app.command()(gc)
app.add_typer(audit_app, name="audit")
app.command()(coverage)
app.command()(serve)
app.command()(export)
app.command()(subset)
app.command()(merge)
app.command()(diff)

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")]


@app.callback()
def about(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Builds datasets of places: street view, aerial view, map and text."""
    if show_version:
        print(f"geoscribe {version('geoscribe')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def verify(
    dataset: DatasetArgument,
    leakage: Annotated[
        bool, typer.Option("--leakage", help="Also list every two samples of two splits that leak into each other.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a dataset: schema, checksums, counts, pictures, licences. Lists all faults; exit code 1 if there is any."""
    from pipeline.storage import open_store
    from tools.cli.leakage import is_clean, leakage_of, leakage_record, print_leakage
    from tools.verify.verify import verify as find_faults

    store = open_store(dataset, where="DATASET", read_only=True)
    faults = find_faults(store)
    leaks = leakage_of(dataset) if leakage else None
    wrong = bool(faults) or (leaks is not None and not is_clean(leaks))
    if as_json:
        record = {"dataset": dataset, "sound": not faults, "faults": [asdict(fault) for fault in faults]}
        print_json(record | ({"leakage": leakage_record(leaks)} if leaks is not None else {}))
        raise typer.Exit(wrong)
    for fault in faults:
        print(fault)
    print(f"{dataset}: {quantity(len(faults), 'fault')}" if faults else f"{dataset}: sound")
    if faults:
        print("to replace damaged files of a build of yours, remove them and build again: only what is missing is made")
    if leaks is not None:
        print_leakage(leaks)
    if wrong:
        raise typer.Exit(1)


@app.command()
def show(
    dataset: DatasetArgument,
    sample_id: Annotated[str, typer.Argument(metavar="SAMPLE_ID", help="Id of a sample.")],
    out: Annotated[Path | None, typer.Option(help="Path of the picture; SAMPLE_ID.png if left out.")] = None,
) -> None:
    """Show a sample: views with boxes, masks and heading, cues, and the description with its evidence."""
    from tools.dataset import open_dataset
    from tools.inspect.show import describe_sample, render_sample

    (sample,) = open_dataset(dataset).samples([sample_id])
    target = out or Path(re.sub(r"[^\w.-]", "-", sample_id) + ".png")
    picture = render_sample(sample)
    with writing(target):
        picture.save(target)
    print(describe_sample(sample), end="")
    print(f"picture: {target}")


@app.command("contact-sheet")
def contact_sheet(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="Path of the picture.")] = Path("contact-sheet.png"),
    places: Annotated[int, typer.Option(min=1, max=60, help="Number of places.")] = 6,
) -> None:
    """Draw street view, aerial view, map and description of several places as one picture."""
    from tools.dataset import open_dataset
    from tools.inspect.contact_sheet import contact_sheet as draw
    from tools.inspect.contact_sheet import pick

    picture = draw(pick(open_dataset(dataset), places))
    with writing(out):
        picture.save(out)
    print(f"contact sheet: {out}")


@app.command()
def report(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="Path of the page.")] = Path("report.html"),
) -> None:
    """Write an HTML page about a dataset: funnel, failures, splits, licences, caption statistics, samples."""
    from tools.dataset import open_dataset
    from tools.report.page import write_report

    write_report(open_dataset(dataset), out)
    print(f"report: {out}")


@app.command("index-manifest")
def index_manifest(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="JSON Lines, one photo per line.")],
    group: Annotated[str, typer.Option(help="Only photos whose group starts with this.")],
    out: Annotated[Path, typer.Option(help="Path of the index (.jsonl).")],
) -> None:
    """Convert a corpus manifest to the index of a source of type `folder`."""
    from tools.corpus_index import index_manifest as write_index

    write_index(manifest, group, out)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the build file."""
    from pipeline.engine.build_file import schema_json

    print(schema_json(), end="")


@config_app.command("check")
def config_check(config: ConfigArgument) -> None:
    """Check a build file and the inputs that it names."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.ready import check_captioner, check_sources, lacking
    from pipeline.engine.warnings import unread_scripts
    from pipeline.registry.registry import region_sources, registry_of

    build = load_build(config)
    check_sources(build, registry_of(build))
    check_captioner(registry_of(build))
    for region in build.regions:
        region_sources(registry_of(build), region)  # made, and so checked; no requests are made
    for warning in unread_scripts(build):
        print(f"warning: {warning}")
    for problem in lacking(build, registry_of(build)):
        print(f"warning: {problem.where}: {problem.found}; before the build, {problem.allowed}")
    print(f"{config}: build {build.name!r} is sound")


def _log_warnings() -> None:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)  # also while `--log-file` takes more
    handler.addFilter(is_ours_to_tell)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[handler])
    redact.install()
    # rasterio's, of arrays that it is given without a place where they have none.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")


def main() -> None:
    """Run the command. Errors become one message and an exit code."""
    _log_warnings()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = lasting(sys.stdout)
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: a path need not be valid text
    try:
        app(prog_name="geoscribe")  # also as `python -m tools.cli.main`: shells complete it by this name
    except ConfigError as error:
        count = len(error.problems)
        print(f"configuration error ({quantity(count, 'problem')}):", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except MachineError as error:
        print("\n".join(map(one_line, f"stopped: {error}".splitlines())), file=sys.stderr)
        sys.exit(STOPPED)
    except OSError as error:  # of a file that a command reads or writes
        print(f"stopped: {last_line(error)}", file=sys.stderr)
        sys.exit(STOPPED)
    except (BuildStopped, KeyboardInterrupt):
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
