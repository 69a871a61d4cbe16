"""The `geoscribe` command.

Exit codes: 0 done; 1 finished, but more sites failed than the build file allows, or `verify` found faults; 2 the build
file, an input or the usage is wrong; 3 stopped, by the user or by an error of the machine.
"""

import io
import logging
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import BuildStopped, ConfigError, MachineError
from pipeline.net import redact
from tools.cli.audit import audit_app
from tools.cli.models import models_app
from tools.cli.regions import regions_app
from tools.cli.retrieval import retrieval_app
from tools.cli.serve import serve
from tools.cli.sources import coverage, sources_app
from tools.output import writing

if TYPE_CHECKING:
    from pipeline.engine.build import Outcome

DONE, TOO_MANY_FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 3

app = typer.Typer(
    help="Builds datasets of places: street view, aerial view, map and text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="The build file.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(sources_app, name="sources")
app.add_typer(regions_app, name="regions")
app.add_typer(models_app, name="models")
app.add_typer(retrieval_app, name="retrieval")
app.add_typer(audit_app, name="audit")
app.command()(coverage)
app.command()(serve)

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file (YAML).")]
WorkspaceArgument = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Folder or URL of a build's layers.")]
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")]


class RunnerName(StrEnum):
    """Where the stages run."""

    LOCAL = "local"
    DASK = "dask"


RunnerOption = Annotated[RunnerName, typer.Option(help="Where the stages run.")]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Address of a running Dask scheduler; without it Dask runs on this machine.")
]


@app.command()
def plan(config: ConfigArgument) -> None:
    """Estimate what a build does and costs. Makes no network requests and writes nothing."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.cost import plan as make_plan
    from tools.cli.tables import print_plan

    build = load_build(config)
    print_plan(build, make_plan(build))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": False})
def build(
    context: typer.Context,
    config: ConfigArgument,
    runner: RunnerOption = RunnerName.LOCAL,
    scheduler: SchedulerOption = None,
    stages: Annotated[
        str | None, typer.Option(help="Only these stages, separated by commas: imagery, cues, captions, publish.")
    ] = None,
    limit_units: Annotated[int | None, typer.Option(min=1, help="Process at most this many units.")] = None,
) -> None:
    """Run what is missing or out of date in a build, then publish. Options of Beam follow `--`."""
    from pipeline.engine.build_file import load_build
    from tools.cli.run import run

    _finish(
        run(
            load_build(config),
            command=f"geoscribe build {config}",
            runner=runner.value,
            scheduler=scheduler,
            stages=_stages(stages),
            limit_units=limit_units,
            beam_options=context.args,
        )
    )


@app.command()
def retry(
    workspace: WorkspaceArgument,
    reason: Annotated[
        list[str] | None, typer.Option(help="Only sites that failed for this reason. May be given several times.")
    ] = None,
    runner: RunnerOption = RunnerName.LOCAL,
    scheduler: SchedulerOption = None,
) -> None:
    """Retry failed sites, then update all that depends on them. Sites that succeeded stay as they are.

    Where the model's reply was the cause (ungrounded, bad_reply, reply_cut, too_long, too_little_to_say,
    model_refused), the model is asked again with other seeds.
    """
    from pipeline.engine.workspace import definition
    from pipeline.errors import Problem
    from pipeline.storage import open_store
    from schemas.reasons import Reason
    from tools.cli.run import run

    known = [str(r) for r in Reason]
    unknown = [r for r in reason or [] if r not in known]
    if unknown:
        raise ConfigError([Problem("--reason", ", ".join(unknown), f"one of {', '.join(known)}")])
    _finish(
        run(
            definition(open_store(workspace, where="WORKSPACE", read_only=True)).build,
            command=f"geoscribe retry {workspace}",
            runner=runner.value,
            scheduler=scheduler,
            retry=frozenset(reason or known),
        )
    )


@app.command()
def status(workspace: WorkspaceArgument) -> None:
    """Show what is done, what failed and why, and what is out of date."""
    from pipeline.engine.workspace import read_state
    from pipeline.storage import open_store
    from tools.cli.tables import print_state

    print_state(read_state(open_store(workspace, where="WORKSPACE", read_only=True)))


@app.command()
def gc(
    workspace: WorkspaceArgument,
    replies: Annotated[
        bool,
        typer.Option("--replies", help="Remove the stored model replies too; to get them again costs again."),
    ] = False,
) -> None:
    """Remove tables that an earlier build file left behind. Do not use it while a build runs on the workspace."""
    from pipeline.engine.workspace import collect_garbage, discard_replies
    from pipeline.storage import open_store

    store = open_store(workspace, where="WORKSPACE")
    print(f"{len(collect_garbage(store))} superseded tables removed")
    if replies:
        print(f"{discard_replies(store)} stored replies removed")


@app.command()
def verify(dataset: DatasetArgument) -> None:
    """Check a dataset: schema, checksums, counts, pictures, licences. Lists all faults; exit code 1 if there is any."""
    from pipeline.storage import open_store
    from tools.verify.verify import verify as find_faults

    faults = find_faults(open_store(dataset, where="DATASET", read_only=True))
    for fault in faults:
        print(fault)
    print(f"{dataset}: {len(faults)} faults" if faults else f"{dataset}: sound")
    if faults:
        print("to mend damaged files of a build of yours, remove them and build again: only what is missing is made")
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
    from pipeline.engine.ready import check_sources
    from pipeline.registry.toolbox import region_sources, toolbox

    build = load_build(config)
    check_sources(build, toolbox(build))
    for region in build.regions:
        region_sources(toolbox(build), region)  # made, and so checked; no requests are made
    print(f"{config}: build {build.name!r} is sound")


def _stages(given: str | None) -> tuple[str, ...]:
    from pipeline.engine.build import ALL_STAGES
    from pipeline.errors import Problem

    if given is None:
        return ALL_STAGES
    stages = tuple(part.strip() for part in given.split(","))
    unknown = [stage for stage in stages if stage not in ALL_STAGES]
    if unknown:
        raise ConfigError([Problem("--stages", ", ".join(unknown), ", ".join(ALL_STAGES))])
    return stages


def _finish(outcome: "Outcome") -> None:
    raise typer.Exit(TOO_MANY_FAILED if outcome.too_many_failed else DONE)


def _log_warnings() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: "apitools" not in record.getMessage())  # Beam on a package of a cloud not used
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[handler])
    redact.install()


def main() -> None:
    """Run the command. Errors become one message and an exit code."""
    _log_warnings()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: a path need not be valid text
    try:
        app()
    except ConfigError as error:
        count = len(error.problems)
        print(f"configuration error ({count} problem{'s' if count > 1 else ''}):", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except MachineError as error:
        print(f"stopped: {error}", file=sys.stderr)
        sys.exit(STOPPED)
    except (BuildStopped, KeyboardInterrupt):
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
