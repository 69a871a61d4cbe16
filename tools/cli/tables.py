"""Tables and summaries of plans, states and outcomes."""

from rich.console import Console
from rich.table import Table

from pipeline.config.build import Build
from pipeline.engine.build import Outcome
from pipeline.engine.cost import Plan
from pipeline.engine.counts import REFERENCES, Counts, ViewCounts
from pipeline.engine.details import Details
from pipeline.engine.workspace import State
from pipeline.stages import PUBLISH, STAGES
from schemas.reasons import ABOUT, Reason
from tools.cli.console import table_console


def print_plan(build: Build, plan: Plan) -> None:
    """Print regions, sources, time per provider, totals and assumptions."""
    console = table_console()
    estimated = any(region.estimated for region in plan.regions)
    table = _table("region", "sites", "units", "views at most", "aerial at most")
    for region in plan.regions:
        about = "~" if region.estimated else ""
        counts = f"{region.views:,}", f"{about if region.aerial else ''}{region.aerial:,}"
        table.add_row(region.region, f"{about}{region.sites:,}", f"{about}{region.units:,}", *counts)
    units = sum(region.units for region in plan.regions)
    aerial = sum(region.aerial for region in plan.regions)
    table.add_row(
        f"all {len(plan.regions)}", f"{plan.sites:,}", f"{units:,}", f"{plan.views:,}", f"{aerial:,}", style="bold"
    )
    console.print(table)
    if estimated:
        console.print(
            "~ estimated: sites depend on the photos of the source, and a plan makes no requests. Random points on the "
            "region's land are used instead.",
            soft_wrap=True,
        )
    console.print()
    table = _table("source", "requests", "to download", "provider", "allowed", "days")
    asked = {one.provider.name: one for one in plan.providers}
    for source in plan.sources:
        if source.provider is None:
            table.add_row(f"{source.kind} {source.name}", "none", "nothing", "on this machine", "", "")
            continue
        provider = source.provider
        allowed = f"{provider.per_s:g}/s" + (f", {provider.per_day:,}/day" if provider.per_day else "")
        days = f"{asked[provider.name].days:.2f}" if provider.name in asked else "see above"
        asked.pop(provider.name, None)  # sources of one provider wait for each other: its days are told once
        table.add_row(
            f"{source.kind} {source.name}", f"{source.requests:,}", _size(source.bytes), provider.name, allowed, days
        )
    console.print(table)
    console.print()
    for line in _plan_totals(build, plan):
        console.print(line, soft_wrap=True)


def _plan_totals(build: Build, plan: Plan) -> list[str]:
    assumed = build.assumptions
    network = sum(source.requests for source in plan.sources)
    calls = f"{plan.model_calls:,}"
    if not plan.model_calls:
        calls = f"none without a model; with one: {plan.dialogue_calls:,}"
    calls += f", {plan.dialogue_gpu_hours:,.1f} GPU hours"
    at_photos = build.sampling.method == "imagery"
    return [
        f"{build.name}: {plan.sites:,} sites in {len(plan.regions):,} region(s)",
        f"requests:     {network:,} at most, {plan.days:.2f} days until the slowest provider is done",
        f"to download:  {_size(sum(source.bytes for source in plan.sources))}",
        f"to publish:   {_size(plan.dataset_bytes)}",
        f"OCR:          {plan.views:,} views, {plan.ocr_gpu_hours:,.1f} GPU hours",
        f"model calls:  {calls}",
        "assumptions (change them under `assumptions`):",
        f"  photo_bytes            {assumed.photo_bytes:,}",
        f"  tile_bytes             {assumed.tile_bytes:,} (each response that is no photo)",
        f"  street_share           {assumed.street_share:g}"
        + (" (not used: sites are drawn at photos)" if at_photos else ""),
        f"  ocr_images_per_s       {assumed.ocr_images_per_s:g}",
        f"  model_calls_per_site   {assumed.model_calls_per_site}",
        f"  model_calls_per_gpu_s  {assumed.model_calls_per_gpu_s:g}",
        f"  imagery.max_views      {build.imagery.max_views}",
        f"  imagery.long_side_px   {build.imagery.long_side_px}",
    ]


def print_state(state: State) -> None:
    """Print what is done, failed (by reason), superseded and damaged."""
    table = _table("region", "stage", "units", "sites", "ok", "failed")
    for s in state.stages:
        failed = ", ".join(f"{n} {reason}" for reason, n in s.counts.failed.items()) or "-"
        table.add_row(s.region, s.stage, f"{s.done}/{s.units}", str(s.counts.total), str(s.counts.ok), failed)
    console = table_console()
    console.print(table)
    _explain(console, sum((s.counts for s in state.stages), Counts(0, {})))
    _print_views(console, state)
    open_units = sum(s.units - s.done for s in state.stages if s.stage == STAGES[-1].name)
    console.print(f"{open_units} units are not finished" if open_units else "all units are finished")
    undrawn = sum(not note.empty for note in state.notes)
    if undrawn:
        console.print(f"{undrawn} regions have no units yet, as they could not be drawn")
    if state.stale:
        console.print(f"{len(state.stale)} tables are superseded (`geoscribe gc` removes them)")
    for note in state.notes:
        how = "without sites" if note.empty else "not drawn"
        console.print(f"region {how}: {note.said} (the next build draws it again)", soft_wrap=True, markup=False)
    for file in state.damaged:
        console.print(f"damaged: {file.path} (the next build recreates it)", soft_wrap=True)


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
    console.print(table)
    reasons = {reason for of in seen.values() for one in of.values() for reason in one.missing}
    for reason in sorted(reasons):
        console.print(f"  {_about(reason)}", soft_wrap=True)
    if reasons:
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
    made = ", ".join(f"{n} {stage}" for stage, n in outcome.made.items() if n and stage != PUBLISH)
    console.print(f"tables made: {made or 'none, all were up to date'}", soft_wrap=True)
    for stage, counts in outcome.counts.items():
        failed = ", ".join(f"{n} {reason}" for reason, n in counts.failed.items())
        console.print(f"{stage}: {counts.ok} sites ok" + (f"; failed: {failed}" if failed else ""), soft_wrap=True)
    _explain(console, outcome.total)
    for why in outcome.empty:
        console.print(f"region without sites: {why}", soft_wrap=True, markup=False)
    for why in outcome.not_drawn:
        console.print(f"region not drawn: {why}", soft_wrap=True, markup=False)
    if outcome.none_left:
        console.print("every site that was taken up failed: nothing is published", style="bold", soft_wrap=True)
    if outcome.published is not None:
        how = "published" if outcome.made[PUBLISH] else "up to date"
        console.print(f"dataset ({how}): {build.dataset}", soft_wrap=True)
    for view, seen in outcome.total.views.items():
        if seen.missing:
            why = ", ".join(f"{n} {reason}" for reason, n in sorted(seen.missing.items()))
            console.print(f"{view} missing at {sum(seen.missing.values())} sites: {why}", soft_wrap=True)
    if outcome.shrinkage is not None:
        console.print(
            f"not published, as the dataset would shrink; {outcome.shrinkage}. {build.dataset} is as it was. Build "
            "what is missing first, or give --allow-shrink",
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


def _explain(console: Console, counts: Counts) -> None:
    """What each reason means, and what was found the most often where sites failed for it."""
    for reason in sorted(counts.failed):
        console.print(f"  {_about(reason)}", soft_wrap=True)
        for detail, number in counts.details.get(reason, Details()).counted[:1]:
            # Details hold words of servers and files: no markup.
            said = f"    {number} of {counts.failed[reason]}: {detail}"
            console.print(said, soft_wrap=True, markup=False, highlight=False)


def _about(reason: str) -> str:
    """A reason's meaning, and whether it may pass."""
    about = ABOUT[Reason(reason)]
    return f"{reason}: {about.meaning}" + (" (may pass: retry)" if about.passing else "")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        words = column in ("region", "stage", "failed", "source", "provider")
        # Names stay whole; the reasons of failure, which may be many, are broken before anything else goes.
        whole = words and column != "failed"
        table.add_column(column, justify="left" if words else "right", no_wrap=whole)
    return table


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
