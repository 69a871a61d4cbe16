"""A plan as tables and lines."""

from pipeline.config.build import Build, sampling_of
from pipeline.engine.measuring import Measured
from pipeline.engine.plans import Plan
from pipeline.publishing.division import MOST_LOST
from pipeline.quantity import quantity
from tools.cli.console import hours_words, plain_table, print_table, size_words, table_console, time_words


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
    table = plain_table("source", "requests", "to download", "provider", "allowed", "time")
    asked = {one.provider.name: one for one in plan.providers}
    for source in plan.sources:
        if source.provider is None:
            table.add_row(f"{source.kind} {source.name}", "none", "nothing", "on this machine", "", "")
            continue
        provider = source.provider
        allowed = f"{provider.per_s:g}/s" + (f", {provider.per_day:,}/day" if provider.per_day else "")
        takes = time_words(asked[provider.name].days * 86_400) if provider.name in asked else "see above"
        asked.pop(provider.name, None)  # sources of one provider wait for each other: its time is told once
        table.add_row(
            f"{source.kind} {source.name}",
            f"{source.requests:,}",
            size_words(source.bytes),
            provider.name,
            allowed,
            takes,
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
    calls += f", {hours_words(plan.dialogue_gpu_hours, 'GPU')}"
    at_photos = all(sampling_of(build, region).method == "imagery" for region in build.regions)
    described = sum(region.described for region in plan.regions)
    return [
        f"{build.name}: {quantity(plan.sites, 'site')} in {quantity(len(plan.regions), 'region')}",
        f"requests:     {network:,} at most, {time_words(plan.days * 86_400)} until the slowest provider is done",
        f"to download:  {size_words(sum(source.bytes for source in plan.sources))}",
        f"workspace:    {size_words(plan.workspace_bytes)}",
        f"to publish:   {size_words(plan.dataset_bytes)}",
        *_cpu(plan, measured, cores),
        f"OCR:          {quantity(plan.views, 'view')}, {hours_words(plan.ocr_gpu_hours, 'GPU')} on a GPU",
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
        return [
            "CPU:          not measured on this machine (`geoscribe plan CONFIG --measure` runs five sites)",
            f"time:         unknown with {quantity(cores, 'core')} until it is measured",
        ]
    total = sum(plan.cpu_hours.values())
    return [
        f"CPU:          {hours_words(total, 'CPU')}, by {quantity(measured.sites, 'site')} on {measured.machine}",
        *(
            f"  {stage:12}{hours_words(h, 'CPU')}, {measured.cpu_s[stage]:.2f} s a site"
            for stage, h in plan.cpu_hours.items()
        ),
        f"time:         {time_words(plan.days_at(cores) * 86_400)} with {quantity(cores, 'core')}",
    ]


def _money(build: Build, plan: Plan) -> list[str]:
    if not plan.money:
        return ["cost:         unknown without `assumptions.prices`"]
    parts = ", ".join(f"{what} {_sum(cost)}" for what, cost in plan.money.items())
    return [f"cost:         {_sum(sum(plan.money.values()))} {build.assumptions.prices.currency} ({parts})"]


def _sum(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= 0.01 else "less than 0.01"
