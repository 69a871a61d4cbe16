"""Estimates the model requests of a planned build, and their cost by the prices of the build file."""

from pipeline.captioning.base import prompt_set_of
from pipeline.config.build import Build, captioner_of
from pipeline.config.captioning import Dialogue
from pipeline.config.region import Region
from pipeline.engine.plans import Plan
from pipeline.errors import Problem


def calls_per_site(build: Build, region: Region) -> float:
    """Model requests per site: of the region's prompt set, or of the usual one if the build has no model.

    A dialogue looks at each photo alone (`observe`) and takes every other turn once; what is repaired is verified anew.
    """
    if build.assumptions.model_calls_per_site is not None:
        return build.assumptions.model_calls_per_site
    captioner = captioner_of(build, region)
    if not isinstance(captioner, Dialogue):
        captioner = Dialogue(engine="dialogue", model="-")
    turns = prompt_set_of(captioner.prompt_set, "dialogue").turns
    seen = min(build.imagery.max_views, captioner.max_views)
    each = {"observe": seen, "repair": build.assumptions.repair_share * (1 + ("verify" in turns))}
    return sum(each.get(turn, 1) for turn in turns)


def unknown_providers(build: Build, plan: Plan) -> list[Problem]:
    """Prices of providers that the build does not ask: of a mistyped one the price would be left out without a word.

    Model servers, which are named by their URLs, are left alone.
    """
    asked = [one.provider.name for one in plan.providers]
    where, allowed = "assumptions.prices.thousand_requests", ", ".join(asked) or "none: no source is on the network"
    priced = build.assumptions.prices.thousand_requests
    return [
        Problem(where, f"{name}, which is no provider of this build", allowed)
        for name in priced
        if name not in asked and "://" not in name
    ]


def money(build: Build, plan: Plan) -> dict[str, float]:
    """The costs of a plan, by what they are for; what costs nothing is left out."""
    assumed, prices = build.assumptions, build.assumptions.prices
    tokens = assumed.prompt_tokens_per_call * prices.million_prompt_tokens
    tokens += assumed.completion_tokens_per_call * prices.million_completion_tokens
    gpu_hours = plan.dialogue_gpu_hours if plan.model_calls else 0.0
    found = {
        "CPU": sum(plan.cpu_hours.values()) * prices.cpu_hour,
        "GPU": gpu_hours * prices.gpu_hour,
        "tokens": plan.model_calls * tokens / 1e6,
        "storage for a month": (plan.workspace_bytes + plan.dataset_bytes) / 1e9 * prices.gb_month,
    }
    for one in plan.providers:
        found[one.provider.name] = one.requests / 1000 * prices.thousand_requests.get(one.provider.name, 0.0)
    return {what: sum_ for what, sum_ in found.items() if sum_}
