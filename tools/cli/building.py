"""Commands that make a dataset: `plan`, `build`, `publish`, `retry`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError, Problem
from tools.cli.as_json import JsonOption, print_json
from tools.cli.log_file import LogFileOption, logging_to
from tools.cli.run_options import (
    JobEndpointOption,
    RunnerName,
    RunnerOption,
    SchedulerOption,
    ShrinkOption,
    TakeOverOption,
    WorkerPoolOption,
)

if TYPE_CHECKING:
    from pipeline.config.build import Build
    from pipeline.engine.build import Outcome

DONE, WANTING = 0, 1

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The build file (YAML).")]


def plan(
    config: ConfigArgument,
    measure: Annotated[
        bool, typer.Option("--measure", help="First run five sites of the build here, and keep what they took.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of CPU cores that work; those of this machine if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what a build does and costs. Makes no network requests and writes nothing, unless it measures.

    CPU hours are told once they were measured on this machine, with any build of the same engines and imagery.
    """
    from pipeline.engine.build_file import load_build
    from pipeline.engine.charges import unknown_providers
    from pipeline.engine.cost import plan as make_plan
    from pipeline.engine.measuring import keep, kept
    from pipeline.engine.measuring import measure as run_some
    from pipeline.engine.ready import check_captioner, check_ready
    from pipeline.registry.registry import registry_of
    from tools.cli.plan_table import print_plan
    from tools.cli.records import plan_record

    build = load_build(config)
    if measure:
        check_ready(build, registry_of(build))
        check_captioner(registry_of(build))
        file = keep(build, run_some(build, registry_of(build)))
        print(f"figures of this machine: {file}", file=sys.stderr)
    measured = kept(build)
    made = make_plan(build, measured)
    for problem in unknown_providers(build, made):
        print(f"warning: {problem}", file=sys.stderr)
    cores = workers or os.cpu_count() or 1
    if as_json:
        print_json(plan_record(build, made, measured, cores))
    else:
        print_plan(build, made, measured, cores)


def build(
    context: typer.Context,
    config: ConfigArgument,
    runner: RunnerOption = RunnerName.LOCAL,
    scheduler: SchedulerOption = None,
    job_endpoint: JobEndpointOption = None,
    worker_pool: WorkerPoolOption = None,
    stages: Annotated[
        str | None,
        typer.Option(help="Only these stages, separated by commas: sites, imagery, cues, captions, publish."),
    ] = None,
    limit_units: Annotated[int | None, typer.Option(min=1, help="Process at most this many units.")] = None,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="Process part I of N, and do not publish: for arrays of jobs.")
    ] = None,
    allow_shrink: ShrinkOption = False,
    take_over: TakeOverOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Run what is missing or out of date in a build, then publish. Options of Beam follow `--`."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.parts import parse_part
    from pipeline.publishing.owner import Publishing
    from tools.cli.run import run

    if part is not None and (allow_shrink or take_over):
        option = "--allow-shrink" if allow_shrink else "--take-over"
        allowed = f"`geoscribe publish CONFIG {option}`, once all parts are finished: no part publishes"
        raise ConfigError([Problem("--part", f"{option} beside it", allowed)])
    _finish(
        run(
            load_build(config),
            runner=runner.value,
            scheduler=scheduler,
            job_endpoint=job_endpoint,
            worker_pools=worker_pool or (),
            stages=_stages(stages, part),
            limit_units=limit_units,
            part=parse_part(part) if part is not None else None,
            publishing=Publishing(allow_shrink, take_over),
            beam_options=context.args,
            log_file=log_file,
        )
    )


def publish(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="The build file; with --revise a published dataset's folder or URL.")
    ],
    revise: Annotated[
        Path | None, typer.Option(metavar="LIST", help="Take-down list (YAML) to apply to a published dataset.")
    ] = None,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Go on if an entry matches nothing, as one of a list for many datasets.")
    ] = False,
    runner: RunnerOption = RunnerName.LOCAL,
    scheduler: SchedulerOption = None,
    job_endpoint: JobEndpointOption = None,
    worker_pool: WorkerPoolOption = None,
    allow_shrink: ShrinkOption = False,
    take_over: TakeOverOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Publish what is finished of a build, or take samples down from a dataset with `--revise`.

    A build's is made of what `build --part` and the like have finished; nothing is processed. A take-down is a new
    revision without the samples, and no older revision stays. Options of Beam follow `--`.
    """
    from pipeline.engine.build_file import load_build
    from pipeline.publishing.owner import Publishing
    from pipeline.stages import PUBLISH
    from tools.cli.publish import take_down_from
    from tools.cli.run import run

    if revise is not None:
        _refuse_build_options(context)
        with logging_to(log_file):
            take_down_from(place, revise, unmatched=unmatched)
        return
    if unmatched:
        raise ConfigError([Problem("--unmatched", "without --revise", "only with --revise: it is about its list")])
    publishing = Publishing(allow_shrink, take_over)
    _finish(
        run(
            load_build(Path(place)),
            runner=runner.value,
            scheduler=scheduler,
            job_endpoint=job_endpoint,
            worker_pools=worker_pool or (),
            stages=(PUBLISH,),
            publishing=publishing,
            beam_options=context.args,
            log_file=log_file,
        )
    )


def retry(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="The build file, or the folder or URL of a build's layers.")
    ],
    reason: Annotated[
        list[str] | None,
        typer.Option(help="Only what failed, or is missing, for this reason. May be given several times."),
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(metavar="VIEW", help="Try again this view (aerial, drone, map) where it is missing. As above."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Where to publish, if PLACE is a workspace that was copied or moved.")
    ] = None,
    runner: RunnerOption = RunnerName.LOCAL,
    scheduler: SchedulerOption = None,
    job_endpoint: JobEndpointOption = None,
    worker_pool: WorkerPoolOption = None,
    allow_shrink: ShrinkOption = False,
    take_over: TakeOverOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Retry failed sites, then update all that depends on them. Sites that succeeded stay as they are.

    Where the model's reply was the cause (ungrounded, bad_reply, reply_cut, too_long, too_little_to_say, indoors,
    model_refused), the model is asked again with other seeds. Options of Beam follow `--`.
    """
    from pipeline.engine.counts import REFERENCES
    from pipeline.publishing.owner import Publishing
    from schemas.reasons import Reason
    from tools.cli.run import run

    known = [str(r) for r in Reason]
    _known("--reason", reason, known)
    _known("--missing", missing, REFERENCES)
    found, stages = _to_retry(place, dataset)
    _finish(
        run(
            found,
            runner=runner.value,
            scheduler=scheduler,
            job_endpoint=job_endpoint,
            worker_pools=worker_pool or (),
            stages=stages,
            retry=frozenset(reason or known),
            missing=frozenset(missing or ()),
            publishing=Publishing(allow_shrink, take_over),
            beam_options=context.args,
            log_file=log_file,
        )
    )


def _refuse_build_options(context: typer.Context) -> None:
    """Refuse options that a take-down would not obey: it is made by this process, of a dataset and not of a build."""
    given = [
        "--" + name.replace("_", "-")
        for name in ("runner", "scheduler", "job_endpoint", "worker_pool", "allow_shrink", "take_over")
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    ]
    given += [f"{option} (of Beam)" for option in context.args]
    if given:
        allowed = "--unmatched and --log-file beside --revise: a take-down is made by this process"
        raise ConfigError([Problem("publish --revise", ", ".join(given), allowed)])


def _to_retry(place: str, dataset: str | None) -> "tuple[Build, tuple[str, ...]]":
    """The build, and the stages to run: a workspace that was moved says nothing of where its dataset is now."""
    from pipeline.engine.build import ALL_STAGES
    from pipeline.engine.build_file import load_build
    from pipeline.engine.definition import definition
    from pipeline.stages import PUBLISH
    from pipeline.storage import open_store

    if Path(place).is_file():
        build, moved = load_build(Path(place)), False
    else:
        recorded = definition(open_store(place, where="PLACE", read_only=True))
        build, moved = recorded.build, recorded.moved
    if dataset is not None:
        there = dataset if "://" in dataset else str(Path(dataset).resolve())
        return build.model_copy(update={"dataset": there}), ALL_STAGES
    if moved:
        print(f"{place} was copied or moved: nothing is published without --dataset, or the build file in its place")
        return build, tuple(stage for stage in ALL_STAGES if stage != PUBLISH)
    return build, ALL_STAGES


def _known(option: str, given: "list[str] | None", known: "list[str] | tuple[str, ...]") -> None:
    unknown = [one for one in given or [] if one not in known]
    if unknown:
        raise ConfigError([Problem(option, ", ".join(unknown), f"one of {', '.join(known)}")])


def _stages(given: str | None, part: str | None) -> tuple[str, ...]:
    from pipeline.engine.build import ALL_STAGES, SITES
    from pipeline.stages import PUBLISH

    if given is None:
        return ALL_STAGES
    stages = tuple(part.strip() for part in given.split(","))
    unknown = [stage for stage in stages if stage not in (SITES, *ALL_STAGES)]
    if unknown:
        raise ConfigError([Problem("--stages", ", ".join(unknown), ", ".join((SITES, *ALL_STAGES)))])
    if part is not None and PUBLISH in stages:
        allowed = "`geoscribe publish CONFIG`, once all parts are finished: no part publishes"
        raise ConfigError([Problem("--stages", f"{PUBLISH} with --part", allowed)])
    return stages


def _finish(outcome: "Outcome") -> None:
    raise typer.Exit(WANTING if outcome.wanting else DONE)
