"""The report: a self-contained HTML file for people who decide whether to use a dataset.

The template escapes everything that comes from outside (names, signs, authors, links), and makes links only of http
and https. The content security policy of the page forbids scripts and all loading.
"""

import base64
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pipeline.publishing.manifest import FINISHED, Counts
from pipeline.publishing.samples import pictures
from schemas.reasons import ABOUT, EXPLANATIONS, Reason
from schemas.records import CaptionRow, Credit, CueRow, ImageryRow, Sample, Sentence
from tools.dataset import Dataset
from tools.inspect.contact_sheet import pick
from tools.inspect.pictures.drawing import fitted
from tools.inspect.pictures.lettering import printable
from tools.inspect.pictures.views import picture
from tools.inspect.show import chip_line, place_line, street_line
from tools.metrics.claims import LEGIBLE_CONFIDENCE, LEGIBLE_SHARE
from tools.metrics.intervals import Estimate, rate
from tools.output import writing
from tools.report.captions import EVIDENCE, REPETITION, WORDS, Captions, Measure, measure
from tools.report.charts import HISTOGRAM_SIZE, MAP_SIZE, WHISKER_SIZE, histogram, region_map, whisker
from tools.report.statistics import gather

CARDS = 6
_TEMPLATE = "report.html.jinja"
BEST, WORST = 2, 3
_EXCLUSIONS = {
    "split_embargo": "too near to a site of another split",
    "sequence_embargo": "of one capture sequence with a site of another split",
    "audit_rejected": "rejected by a person who judged it",
}
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


@dataclass(frozen=True)
class CardPicture:
    """A small picture with its caption."""

    title: str
    uri: str | None
    """Data URI; None for a missing view."""
    caption: str


@dataclass(frozen=True)
class SampleCard:
    """A sample in brief."""

    sample_id: str
    place: str
    pictures: list[CardPicture]
    sentences: list[Sentence]
    credits: list[tuple[str, Credit]]


def write_report(dataset: Dataset, out: Path) -> None:
    """Write the report of a dataset to a file. The same dataset gives the same bytes.

    Raises:
        ConfigError: the file cannot be written.
    """
    page = render_report(dataset)
    with writing(out):
        out.write_text(page, encoding="utf-8", newline="\n")


def render_report(dataset: Dataset) -> str:
    """The report as HTML."""
    found = gather(dataset)
    captions = measure(dataset)
    counts = dataset.manifest.counts
    worst = [judged for judged in captions.ranked[:WORST] if judged.groundedness < 1]
    best = [judged for judged in reversed(captions.ranked) if judged not in worst][:BEST]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": printable, "web_link": web_link, "number": lambda value: f"{value:,}"}
    environment.filters |= {"percent": lambda share: f"{share:.1%}", "ground": _ground, "figure": figure}
    environment.filters["interval"] = lambda e, measure: f"{_number(e.low, measure)} to {_number(e.high, measure)}"
    anonymiser = dataset.manifest.provenance.get("anonymiser")
    return environment.get_template(_TEMPLATE).render(
        manifest=dataset.manifest,
        counts=counts,
        funnel=funnel(counts),
        losses=losses(counts),
        explanations=EXPLANATIONS,
        splits=[split for split in ("train", "val", "test") if any(split in by for by in counts.regions.values())],
        found=found,
        lengths=[
            ("Long descriptions, words", found.words, histogram(found.words)),
            ("Long descriptions, CLIP tokens", found.tokens, histogram(found.tokens)),
            ("Short descriptions, words", found.short_words, histogram(found.short_words)),
            ("Short descriptions, CLIP tokens", found.short_tokens, histogram(found.short_tokens)),
        ],
        anonymiser=anonymiser if isinstance(anonymiser, str) else None,
        captions=captions,
        tables=[
            ("Claims of the long descriptions against the cues of their samples", EVIDENCE),
            ("Length and variety of words", WORDS),
            ("Repetition from description to description", REPETITION),
        ],
        whisker=lambda key, row: whisker(row.figures[key], _top(captions, key)),
        whisker_size=WHISKER_SIZE,
        grounded_bars=histogram(captions.groundedness),
        comparisons=comparisons(captions),
        rejections=rejections(counts),
        legible=(LEGIBLE_CONFIDENCE, LEGIBLE_SHARE),
        judged=[
            (heading, list(zip(chosen, map(_card, dataset.samples([j.sample_id for j in chosen])), strict=True)))
            for heading, chosen in (("The least borne out", worst), ("The best borne out", best))
            if chosen
        ],
        maps=[region_map(region, positions) for region, positions in sorted(found.positions.items())],
        cards=[_card(sample) for sample in pick(dataset, CARDS)],
        histogram_size=HISTOGRAM_SIZE,
        map_size=MAP_SIZE,
    )


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
    return "\u2013" if estimate is None else _number(estimate.value, measure)


def web_link(link: str) -> str | None:
    """The link, if a browser may follow it: http or https, without invisible characters."""
    try:
        scheme = urlsplit(link).scheme
    except ValueError:
        return None
    return link if scheme in ("http", "https") and printable(link) == link else None


def _number(value: float, measure: Measure) -> str:
    return f"{value:.1%}" if measure.percent else f"{value:.{measure.decimals}f}"


def _top(captions: Captions, key: str) -> float:
    """Upper end of the intervals of a column: 1 for shares, else the greatest bound."""
    return max([1.0, *(estimate.high for row in captions.rows if (estimate := row.figures[key]) is not None)])


def _card(sample: Sample) -> SampleCard:
    views = [CardPicture("Street view", _uri(picture(sample.street, ""), 480, 360), street_line(sample.street_view))]
    above = [("Aerial", sample.aerial, sample.aerial_chip), ("Map", sample.map, sample.map_chip)]
    if sample.drone is not None:
        above.append(("Drone", sample.drone, sample.drone_chip))
    for title, image, info in above:
        if image is None or info is None:
            views.append(CardPicture(title, None, f"no {title.lower()} view here"))
        else:
            views.append(CardPicture(title, _uri(picture(image, ""), 300, 300), chip_line(info)))
    return SampleCard(
        sample.sample_id,
        place_line(sample),
        views,
        [sentence for sentence in sample.sentences if sentence.variant == "long"],
        [(role, info) for role, _, info in pictures(sample) if role in ("street", "aerial", "drone", "map")],
    )


def _uri(view: Image.Image, width: int, height: int) -> str:
    buffer = io.BytesIO()
    fitted(view, width, height).save(buffer, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _ground(metres: float) -> str:
    return f"{metres / 1000:,.1f} km" if metres >= 1000 else f"{metres:.0f} m"
