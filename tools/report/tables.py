"""The rows of the report's tables: the funnel, losses, rejections, and figures beside published ones."""

from collections import Counter
from dataclasses import dataclass

from pipeline.publishing.exclusions import MEANINGS
from pipeline.publishing.manifest import FINISHED, Counts
from schemas.reasons import ABOUT, EXPLANATIONS, Reason
from schemas.records import CaptionRow, CueRow, ImageryRow
from tools.metrics.intervals import Estimate, rate
from tools.report.captions import WORDS, Captions, Measure

_EXCLUSIONS = {str(reason): meaning for reason, meaning in MEANINGS.items()}
"""Further reasons why `publish` leaves out sites."""


@dataclass(frozen=True)
class Step:
    """A step of the funnel."""

    title: str
    count: int
    lost: int
    """Number of sites lost since the previous step."""
    share: float
    """Share of the sampled sites."""


@dataclass(frozen=True)
class Loss:
    """A reason why sites are missing, with counts."""

    reason: str
    explanation: str
    count: int


@dataclass(frozen=True)
class Rejection:
    """A reason why descriptions were not published, with counts."""

    region: str
    """Name of a region, or `all`."""
    reason: str
    explanation: str
    count: int
    share: Estimate
    """Share of the sites with cues."""


@dataclass(frozen=True)
class Comparison:
    """A figure beside a published figure of another dataset."""

    title: str
    figure: str
    published: str
    comparable: str
    """How far they can be compared, and why."""


def funnel(counts: Counts) -> list[Step]:
    """Number of sites left after each step."""
    failed: Counter[str] = Counter()
    for reason, count in counts.failed.items():
        failed[_stage(reason)] += count
    steps = []
    left = counts.sites
    for title, lost in (
        ("sampled", 0),
        ("has imagery", failed[ImageryRow.layer]),
        ("has cues", failed[CueRow.layer]),
        ("described", failed[CaptionRow.layer]),
        ("published", sum(counts.excluded.values())),
    ):
        left -= lost
        steps.append(Step(title, left, lost, left / max(counts.sites, 1)))
    return steps


def losses(counts: Counts) -> list[Loss]:
    """Failed and excluded sites by reason, most frequent first."""
    explanations = {**{reason.value: words for reason, words in EXPLANATIONS.items()}, **_EXCLUSIONS}
    rows = [
        Loss(reason, explanations.get(reason, "a reason that this version does not know"), count)
        for table in (counts.failed, counts.excluded)
        for reason, count in table.items()
        if count
    ]
    return sorted(rows, key=lambda row: (-row.count, row.reason))


def _stage(reason: str) -> str:
    """The stage that a reason is of; a manifest may come from anywhere and have reasons that are none."""
    return ABOUT[Reason(reason)].stage if reason in ABOUT else ImageryRow.layer


def rejections(counts: Counts) -> list[Rejection]:
    """Sites whose description was not published, in total and by region, by reason, most frequent first.

    Shares are of the sites with cues.
    """
    tables = [("all", counts.sites, counts.failed)]
    tables += [(region, sum(table.values()), table) for region, table in counts.outcomes.items()]
    found = []
    for region, sites, table in tables:
        failed = {reason: count for reason, count in table.items() if reason != FINISHED}
        refused = {
            Reason(reason): count for reason, count in failed.items() if _stage(reason) == CaptionRow.layer and count
        }
        reached = sites - sum(failed.values()) + sum(refused.values())
        for reason, count in sorted(refused.items(), key=lambda item: (-item[1], item[0])):
            share = rate(count, reached)
            assert share is not None
            found.append(Rejection(region, reason.value, EXPLANATIONS[reason], count, share))
    return found


def comparisons(captions: Captions) -> list[Comparison]:
    """The figures of Ye et al. for CVG-Text (arXiv:2412.17007), and how far ours can be compared with them."""
    figures = captions.rows[0].figures if captions.rows else {}
    measures = {measure.key: measure for measure in WORDS}
    return [
        Comparison(
            "length, tokens",
            figure(figures.get("tokens"), measures["tokens"]),
            "126",
            "Roughly. Ours are CLIP tokens with start and end marks; the tokenizer of theirs is not known here.",
        ),
        Comparison(
            "type-token ratio",
            figure(figures.get("ratio"), measures["ratio"]),
            "0.76",
            "Only between texts of like length: the ratio falls as a text grows. Ours is the mean of the ratios within "
            "each description, case folded; how theirs cuts words is not known here.",
        ),
        Comparison(
            "inter-text similarity",
            f"{captions.similarity.value:.3f}" if captions.similarity else "\u2013",
            "0.17",
            "Not as numbers: the measure of theirs is not known here. Ours is the mean cosine of tf-idf word vectors "
            "over all pairs; compare it between builds of this tool.",
        ),
    ]


def figure(estimate: Estimate | None, measure: Measure) -> str:
    """A figure in the format of its column; a dash if there is none."""
    return "\u2013" if estimate is None else number(estimate.value, measure)


def number(value: float, measure: Measure) -> str:
    """A number in the format of its column."""
    return f"{value:.1%}" if measure.percent else f"{value:.{measure.decimals}f}"
