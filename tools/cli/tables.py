"""Tables and summaries of plans, states and outcomes."""

from collections.abc import Iterable
from datetime import UTC

from rich.console import Console
from rich.table import Table

from pipeline.config.build import Build
from pipeline.engine.build import Outcome
from pipeline.engine.counts import REFERENCES, Counts, ViewCounts
from pipeline.engine.details import Details
from pipeline.engine.layers import LayerFile
from pipeline.engine.outcome import Busy
from pipeline.engine.workspace import State, left_out
from pipeline.quantity import quantity
from pipeline.stages import PUBLISH, STAGES
from schemas.reasons import ABOUT, Reason
from tools.cli.console import plain_table, print_table, table_console
from tools.cli.last_run import LastRun

_MOST_NAMED = 10
"""Regions that a sentence lists."""


def print_state(state: State) -> None:
    """Print what is done, failed (by reason), superseded and damaged."""
    table = plain_table("region", "stage", "units", "sites", "ok", "failed")
    for s in state.stages:
        failed = ", ".join(f"{n} {reason}" for reason, n in s.counts.failed.items()) or "-"
        table.add_row(s.region, s.stage, f"{s.done}/{s.units}", str(s.counts.total), str(s.counts.ok), failed)
    console = table_console()
    print_table(table)
    _explain(console, state.definition.build, sum((s.counts for s in state.stages), Counts(0, {})))
    _print_views(console, state)
    open_units = sum(s.units - s.done for s in state.stages if s.stage == STAGES[-1].name)
    if state.tasks:
        console.print(f"{quantity(open_units, 'unit')} not finished" if open_units else "all units are finished")
    undrawn = sum(not note.empty for note in state.notes)
    if undrawn:
        console.print(f"no units yet, as it could not be drawn: {quantity(undrawn, 'region')}")
    if state.stale:
        superseded = f"{quantity(len(state.stale), 'table')} superseded (`geoscribe gc` removes them)"
        console.print(superseded + of_regions_left_out(state.stale, state.definition.build), soft_wrap=True)
    for note in state.notes:
        how = "without sites" if note.empty else "not drawn"
        console.print(f"region {how}: {note.said}", soft_wrap=True, markup=False)
    for file in state.damaged:
        console.print(f"damaged: {file.path} (the next build recreates it)", soft_wrap=True)


def of_regions_left_out(files: Iterable[LayerFile], build: Build) -> str:
    """The part of a sentence on superseded tables that tells which would be wanted again if a region came back."""
    found = left_out(files, build)
    named = ", ".join(f"{n} of {region}" for region, n in list(found.items())[:_MOST_NAMED])
    more = f", and of {quantity(len(found) - _MOST_NAMED, 'more region')}" if len(found) > _MOST_NAMED else ""
    return f"; of regions that the build file no longer has: {named}{more}" if found else ""


def print_last_run(run: LastRun) -> None:
    """Print when the last run began, how it ended, and how busy its stages were."""
    console = table_console()
    console.print()
    began = run.started_at.astimezone(UTC)
    how = f"{run.seconds:.1f} s, {run.ended}" if run.seconds is not None else "and goes on, or was killed"
    console.print(f"last run: began {began:%Y-%m-%d %H:%M:%SZ}, {how}", soft_wrap=True)
    if run.busy is not None:
        _print_busy(console, run.busy)


def _print_views(console: Console, state: State) -> None:
    """A column a view: of how many sites it is there, and of how many it is missing for which reason."""
    seen = {s.region: s.counts.views for s in state.stages if s.counts.views}
    views = [view for view in REFERENCES if any(view in of for of in seen.values())]
    if not views:
        return
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("region", no_wrap=True)
    for view in views:
        table.add_column(view)
    for region, of in seen.items():
        table.add_row(region, *(_seen(of[view]) if view in of else "" for view in views))
    print_table(table)
    if _explain_missing(console, state.definition.build, sum((s.counts for s in state.stages), Counts(0, {}))):
        console.print(
            "`geoscribe retry PLACE --missing VIEW [--reason REASON]` tries missing views again", soft_wrap=True
        )
    console.print()


def _seen(view: ViewCounts) -> str:
    missing = ", ".join(f"{n} {reason}" for reason, n in sorted(view.missing.items()))
    return f"{view.there} there" + (f"; missing: {missing}" if missing else "")


def print_outcome(build: Build, outcome: Outcome) -> None:
    """Print the outcome of a build, and where the dataset is."""
    console = table_console()
    drawn = outcome.regions - len(outcome.empty) - len(outcome.not_drawn)
    console.print(f"sites: {outcome.sites} in {quantity(drawn, 'region')}", soft_wrap=True)
    made = ", ".join(f"{n} {stage}" for stage, n in outcome.made.items() if n and stage != PUBLISH)
    none = "none" if outcome.unfinished or not outcome.total.total else "none, all were up to date"
    again = "none, what was tried again came out the same"
    console.print(f"tables made: {made or (again if outcome.busy is not None else none)}", soft_wrap=True)
    for stage, counts in outcome.counts.items():
        failed = ", ".join(f"{n} {reason}" for reason, n in counts.failed.items())
        console.print(
            f"{stage}: {quantity(counts.ok, 'site')} ok" + (f"; failed: {failed}" if failed else ""), soft_wrap=True
        )
    _explain(console, build, outcome.total)
    if outcome.unfinished:
        console.print(f"{quantity(outcome.unfinished, 'unit')} not finished")
    if outcome.busy is not None:
        _print_busy(console, outcome.busy)
    for why in outcome.empty:
        console.print(f"region without sites: {why}", soft_wrap=True, markup=False)
    for why in outcome.not_drawn:
        console.print(f"region not drawn: {why}", soft_wrap=True, markup=False)
    if outcome.none_left:
        console.print("every site that was taken up failed: nothing is published", style="bold", soft_wrap=True)
    if outcome.published is not None:
        how = "published" if outcome.made[PUBLISH] else "up to date"
        console.print(f"dataset ({how}): {build.dataset}", soft_wrap=True)
    _print_missing(console, build, outcome.total)
    if outcome.shrinkage is not None:
        console.print(
            f"not published, as the dataset would shrink; {outcome.shrinkage}. {build.dataset} is as it was. Build "
            "what is missing first, or give --allow-shrink",
            soft_wrap=True,
        )
    if outcome.unfilled:
        console.print(
            f"not published, as what is finished does not fill {', '.join(outcome.unfilled)}. Build the rest first, or "
            "name these splits in publish.allow_empty",
            soft_wrap=True,
        )
    for view, share in outcome.too_many_missing.items():
        console.print(
            f"{view} is missing at {share:.1%} of the sites; limits.allowed_missing_share is "
            f"{build.limits.allowed_missing_share:.1%}. `geoscribe retry PLACE --missing {view}` tries again",
            soft_wrap=True,
        )
    if outcome.failed_share > build.limits.allowed_failed_share:
        console.print(
            f"{outcome.failed_share:.1%} of the sites failed; limits.allowed_failed_share is "
            f"{build.limits.allowed_failed_share:.1%}",
            soft_wrap=True,
        )
    if outcome.too_many_undrawn:
        console.print(
            f"{len(outcome.not_drawn)} of {outcome.regions} regions were not drawn; limits.allowed_failed_share is "
            f"{build.limits.allowed_failed_share:.1%}",
            soft_wrap=True,
        )


def _print_missing(console: Console, build: Build, counts: Counts) -> None:
    for view, seen in counts.views.items():
        if seen.missing:
            why = ", ".join(f"{n} {reason}" for reason, n in sorted(seen.missing.items()))
            console.print(f"{view} missing at {quantity(sum(seen.missing.values()), 'site')}: {why}", soft_wrap=True)
    _explain_missing(console, build, counts)


def _print_busy(console: Console, busy: Busy) -> None:
    table = plain_table("stage", "busy s", "share of its room in use")
    for stage, seconds in busy.stages.items():
        table.add_row(stage, f"{seconds:.1f}", f"{seconds / busy.seconds:.0%}")
    print_table(table)
    console.print(f"{busy.seconds:.1f} s in all, {busy.over_busiest:.2f} times the busiest stage, {busy.busiest}")


def _explain(console: Console, build: Build, counts: Counts) -> None:
    """Print what each reason means, and what was found the most often where sites failed for it."""
    for reason in sorted(counts.failed):
        console.print(f"  {_about(reason, build)}", soft_wrap=True)
        for detail, number in counts.details.get(reason, Details()).counted[:1]:
            # Details hold words of servers and files: no markup.
            said = f"    {number} of {counts.failed[reason]}: {detail}"
            console.print(said, soft_wrap=True, markup=False, highlight=False)


def _explain_missing(console: Console, build: Build, counts: Counts) -> bool:
    """Print what each reason means for which a view is missing, unless `_explain` has; whether there was any."""
    reasons = {reason for seen in counts.views.values() for reason in seen.missing}
    for reason in sorted(reasons - counts.failed.keys()):
        console.print(f"  {_about(reason, build)}", soft_wrap=True)
    return bool(reasons)


def _about(reason: str, build: Build) -> str:
    """A reason's meaning, and whether it may pass."""
    about = ABOUT[Reason(reason)]
    passes = "may pass: retry" if about.passing else "does not pass by itself"
    anew = "; a retry asks the model anew" if about.redrawn and build.captioner.engine == "dialogue" else ""
    return f"{reason}: {about.meaning} ({passes}{anew})"
