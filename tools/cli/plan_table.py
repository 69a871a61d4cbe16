"""A plan as tables and lines."""

from pipeline.config.build import Build, sampling_of
from pipeline.engine.measuring import Measured
from pipeline.engine.plans import Plan
from pipeline.publishing.division import MOST_LOST
from pipeline.quantity import quantity
from tools.cli.console import plain_table, print_table, size_words, table_console


def print_plan(build: Build, plan: Plan, measured: Measured | None, cores: int) -> None:
    """Print regions, sources, time per provider, totals with so many CPU cores, and assumptions."""
    console = table_console()
    estimated = any(region.estimated for region in plan.regions)
    table = plain_table("region", "sites", "units", "views at most", "aerial at most")
    for region in plan.regions:
        about = "~" if region.estimated else ""
        counts = f"{region.views:,}", f"{about if region.aerial else ''}{region.aerial:,}"
        table.add_row(region.region, f"{about}{region.sites:,}", f"{about}{region.units:,}", *counts)
    units = sum(region.units for region in plan.regions)
    aerial = sum(region.aerial for region in plan.regions)
    table.add_row(
        f"all {len(plan.regions)}", f"{plan.sites:,}", f"{units:,}", f"{plan.views:,}", f"{aerial:,}", style="bold"
    )
    print_table(table)
    if estimated:
        console.print(
            "~ estimated: sites depend on the photos of the source, and a plan makes no requests. Random points on the "
            "region's land are used instead.",
            soft_wrap=True,
        )
    for region in plan.regions:
        if region.left_out > MOST_LOST:
            console.print(
                f"{region.region} is small: some {region.left_out:.0%} of its sites will be left out between splits, "
                "which are a chip's diagonal apart. Smaller chips, a larger region or publish.allow_empty keep more.",
                soft_wrap=True,
            )
    console.print()
    table = plain_table("source", "requests", "to download", "provider", "allowed", "days")
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
            f"{source.kind} {source.name}",
            f"{source.requests:,}",
            size_words(source.bytes),
            provider.name,
            allowed,
            days,
        )
    print_table(table)
    console.print()
    for line in _totals(build, plan, measured, cores):
        console.print(line, soft_wrap=True)


def _totals(build: Build, plan: Plan, measured: Measured | None, cores: int) -> list[str]:
    assumed = build.assumptions
    network = sum(source.requests for source in plan.sources)
    calls = f"{plan.model_calls:,}"
    if not plan.model_calls:
        calls = f"none without a model; with one: {plan.dialogue_calls:,}"
    calls += f", {plan.dialogue_gpu_hours:,.1f} GPU hours"
    at_photos = all(sampling_of(build, region).method == "imagery" for region in build.regions)
    described = sum(region.described for region in plan.regions)
    return [
        f"{build.name}: {quantity(plan.sites, 'site')} in {quantity(len(plan.regions), 'region')}",
        f"requests:     {network:,} at most, {plan.days:.2f} days until the slowest provider is done",
        f"to download:  {size_words(sum(source.bytes for source in plan.sources))}",
        f"workspace:    {size_words(plan.workspace_bytes)}",
        f"to publish:   {size_words(plan.dataset_bytes)}",
        *_cpu(plan, measured, cores),
        f"OCR:          {quantity(plan.views, 'view')}, {plan.ocr_gpu_hours:,.1f} GPU hours on a GPU",
        f"model calls:  {calls}",
        *_money(build, plan),
        "assumptions (change them under `assumptions`):",
        f"  photo_bytes            {assumed.photo_bytes:,}",
        f"  tile_bytes             {assumed.tile_bytes:,} (each response that is no photo)",
        f"  street_share           {assumed.street_share:g}"
        + (" (not used: sites are drawn at photos)" if at_photos else ""),
        f"  ocr_images_per_s       {assumed.ocr_images_per_s:g}",
        f"  model_calls_per_site   {plan.dialogue_calls / (described or 1):.3g}"
        + (" (the turns of the prompt set)" if assumed.model_calls_per_site is None else ""),
        f"  model_calls_per_gpu_s  {assumed.model_calls_per_gpu_s:g}",
        f"  imagery.max_views      {build.imagery.max_views}",
        f"  imagery.long_side_px   {build.imagery.long_side_px}",
    ]


def _cpu(plan: Plan, measured: Measured | None, cores: int) -> list[str]:
    if measured is None:
        return ["CPU:          not measured on this machine (`geoscribe plan CONFIG --measure` runs five sites)"]
    total = sum(plan.cpu_hours.values())
    return [
        f"CPU:          {total:,.1f} hours of a core, by {quantity(measured.sites, 'site')} on {measured.machine}",
        *(f"  {stage:12}{h:,.1f} hours, {measured.cpu_s[stage]:.2f} s a site" for stage, h in plan.cpu_hours.items()),
        f"days:         {plan.days_at(cores):.2f} with {cores} cores",
    ]


def _money(build: Build, plan: Plan) -> list[str]:
    if not plan.money:
        return ["cost:         unknown without `assumptions.prices`"]
    parts = ", ".join(f"{what} {cost:,.2f}" for what, cost in plan.money.items())
    return [f"cost:         {sum(plan.money.values()):,.2f} {build.assumptions.prices.currency} ({parts})"]
