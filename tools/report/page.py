"""The report: a self-contained HTML file for people who decide whether to use a dataset.

The template escapes everything that comes from outside (names, signs, authors, links), and makes links only of http
and https. The content security policy of the page forbids scripts and all loading.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pipeline.publishing.embargo import PRECEDENCE
from pipeline.publishing.samples import pictures
from pipeline.quantity import quantity
from schemas.reasons import EXPLANATIONS
from schemas.records import Credit, Sample, Sentence
from tools.dataset import Dataset
from tools.inspect.contact_sheet import pick
from tools.inspect.pictures.drawing import fitted
from tools.inspect.pictures.lettering import printable
from tools.inspect.pictures.views import picture
from tools.inspect.show import chip_line, place_line, street_line
from tools.metrics.claims import LEGIBLE_CONFIDENCE, LEGIBLE_SHARE
from tools.output import writing
from tools.report.captions import EVIDENCE, REPETITION, WORDS, Captions, measure
from tools.report.charts import HISTOGRAM_SIZE, MAP_SIZE, WHISKER_SIZE, histogram, region_map, whisker
from tools.report.statistics import gather
from tools.report.tables import comparisons, figure, funnel, losses, number, rejections

CARDS = 6
_TEMPLATE = "report.html.jinja"
BEST, WORST = 2, 3


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
    environment.filters["quantity"] = quantity
    environment.filters["interval"] = lambda e, measure: f"{number(e.low, measure)} to {number(e.high, measure)}"
    anonymiser = dataset.manifest.provenance.get("anonymiser")
    return environment.get_template(_TEMPLATE).render(
        manifest=dataset.manifest,
        counts=counts,
        funnel=funnel(counts),
        losses=losses(counts),
        explanations=EXPLANATIONS,
        splits=[split for split in PRECEDENCE if any(split in by for by in counts.regions.values())],
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


def web_link(link: str) -> str | None:
    """The link, if a browser may follow it: http or https, without invisible characters."""
    try:
        scheme = urlsplit(link).scheme
    except ValueError:
        return None
    return link if scheme in ("http", "https") and printable(link) == link else None


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
