"""What the card works out from counts and settings: the funnel, the verifier's reliability, the prompts."""

from collections import Counter
from dataclasses import dataclass

from scipy.stats import binomtest

from pipeline.publishing.manifest import Counts
from prompts.loader import PromptSetError, load_prompt_set
from schemas.reasons import ABOUT, Reason

_STAGES = ("imagery", "cues", "captions")


def funnel(counts: Counts) -> list[tuple[str, int]]:
    """How many sites were left after each step, sampled ones first."""
    lost: Counter[str] = Counter()
    for reason, count in counts.failed.items():
        lost[ABOUT[Reason(reason)].stage] += count
    left = counts.sites
    rows = [("sampled", left)]
    for stage, what in zip(_STAGES, ("have pictures", "have cues", "have a description that passes"), strict=True):
        left -= lost[stage]
        rows.append((what, left))
    return [*rows, ("published", counts.published)]


@dataclass(frozen=True)
class Reliability:
    """The verifier's wrong answers to statements of a kind whose truth is known, with Wilson's 95 % interval."""

    kind: str
    truth: str
    """`false` statements, which it should refuse, or `true` ones."""
    wrong: int
    of: int
    low: float
    high: float


def reliability(counts: Counts) -> list[Reliability]:
    """By kind of statement and truth; empty where no verifier was asked."""
    asked: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for key, count in counts.controls.items():
        kind, truth, answer = key.split(" ")
        asked[kind, truth] += count
        asked["all", truth] += count
        if (answer == "yes") != (truth == "true"):
            wrong[kind, truth] += count
            wrong["all", truth] += count
    rows = []
    for kind, truth in sorted(asked, key=lambda key: (key[0] != "all", key)):
        of = asked[kind, truth]
        interval = binomtest(wrong[kind, truth], of).proportion_ci(method="wilson")
        rows.append(Reliability(kind, truth, wrong[kind, truth], of, float(interval.low), float(interval.high)))
    return rows


def prompts(counts: Counts) -> dict[str, dict[str, str]]:
    """The files of each prompt set that descriptions were written with, by the set's name.

    A set that this version of geoscribe does not have any more has no files here.
    """
    names = {captioner.split(", ")[1] for captioner in counts.captioners if captioner.count(", ") >= 1}
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        try:
            found[name] = dict(sorted(load_prompt_set(name).files.items()))
        except PromptSetError:
            found[name] = {}
    return found
