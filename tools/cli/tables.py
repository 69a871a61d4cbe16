"""Plans, states and outcomes in words."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pipeline.build import Outcome
from pipeline.config import Build
from pipeline.plan import RegionPlan
from pipeline.workspace import State
from schemas.reasons import EXPLANATIONS, Reason


def print_plan(build: Build, plans: Sequence[RegionPlan]) -> None:
    """A table of regions, and the totals."""
    table = _table("region", "units", "sites", "requests at most", "images read", "model calls", "bytes")
    for p in plans:
        requests = "\n".join(f"{source}: {n:,}" for source, n in p.requests.items())
        table.add_row(
            p.region,
            f"{p.units:,}",
            f"{p.sites:,}",
            requests,
            f"{p.ocr_images:,}",
            f"{p.model_calls:,}",
            _size(p.bytes),
        )
    console = Console()
    console.print(table)
    sites = sum(p.sites for p in plans)
    console.print(
        f"{build.name}: {len(plans)} region(s), {sum(p.units for p in plans):,} units, {sites:,} sites, "
        f"at most {sum(p.ocr_images for p in plans):,} street views to read, "
        f"about {_size(sum(p.bytes for p in plans))} published",
        soft_wrap=True,
    )


def print_state(state: State) -> None:
    """Done, failed by reason, stale and damaged."""
    table = _table("region", "stage", "units", "sites", "ok", "failed")
    for s in state.stages:
        failed = ", ".join(f"{n} {reason}" for reason, n in s.counts.failed.items()) or "-"
        table.add_row(s.region, s.stage, f"{s.done}/{s.units}", str(s.counts.total), str(s.counts.ok), failed)
    console = Console()
    console.print(table)
    _explain(console, {reason: n for s in state.stages for reason, n in s.counts.failed.items()})
    open_units = sum(s.units - s.done for s in state.stages if s.stage == "captions")
    console.print(f"{open_units} units are not finished" if open_units else "all units are finished")
    if state.stale:
        console.print(f"{len(state.stale)} tables are superseded (`geoscribe gc` removes them)")
    for file in state.damaged:
        console.print(f"damaged: {file.path} (the next build makes it again)", soft_wrap=True)


def print_outcome(build: Build, outcome: Outcome) -> None:
    """What a build came to, and where things are."""
    console = Console()
    made = ", ".join(f"{n} {stage}" for stage, n in outcome.made.items() if n and stage != "publish")
    console.print(f"tables made: {made or 'none, all were up to date'}", soft_wrap=True)
    for stage, counts in outcome.counts.items():
        failed = ", ".join(f"{n} {reason}" for reason, n in counts.failed.items())
        console.print(f"{stage}: {counts.ok} sites ok" + (f"; failed: {failed}" if failed else ""), soft_wrap=True)
    _explain(console, outcome.failed)
    if outcome.published is not None:
        how = "published" if outcome.made["publish"] else "up to date"
        console.print(f"dataset ({how}): {build.dataset}", soft_wrap=True)
    if outcome.too_many_failed:
        console.print(
            f"{outcome.failed_share:.1%} of the sites failed; limits.allowed_failed_share is "
            f"{build.limits.allowed_failed_share:.1%}",
            soft_wrap=True,
        )


def _explain(console: Console, failed: dict[str, int]) -> None:
    for reason in sorted(failed):
        console.print(f"  {reason}: {EXPLANATIONS[Reason(reason)]}", soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        words = column in ("region", "stage", "failed", "requests at most")
        table.add_column(column, justify="left" if words else "right", no_wrap=words)
    return table


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
