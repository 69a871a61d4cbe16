"""Facts that the card derives from counts and settings: the funnel and the prompts."""

from collections import Counter

from pipeline.publishing.manifest import Counts
from prompts.loader import PromptSetError, load_prompt_set
from schemas.reasons import ABOUT, Reason
from schemas.records import CaptionRow, CueRow, ImageryRow

_STEPS = (
    (ImageryRow, "have pictures"),
    (CueRow, "have cues"),
    (CaptionRow, "have a description that passes"),
)


def funnel(counts: Counts) -> list[tuple[str, int]]:
    """How many sites were left after each step, sampled ones first."""
    lost: Counter[str] = Counter()
    for reason, count in counts.failed.items():
        lost[stage_of(reason)] += count
    left = counts.sites
    rows = [("sampled", left)]
    for record, what in _STEPS:
        left -= lost[record.layer]
        rows.append((what, left))
    return [*rows, ("published", counts.published)]


def stage_of(reason: str) -> str:
    """The stage that a reason comes from; the first one for a reason that this version does not know."""
    return ABOUT[Reason(reason)].stage if reason in ABOUT else ImageryRow.layer


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
