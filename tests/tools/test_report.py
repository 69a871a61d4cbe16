import base64
import io
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from schemas.records import Sample
from tools.dataset import open_dataset
from tools.metrics.intervals import Estimate
from tools.report.charts import HISTOGRAM_SIZE, MAP_SIZE, WHISKER_SIZE, histogram, region_map, whisker
from tools.report.page import render_report, web_link, write_report
from tools.report.statistics import Lengths, gather
from tools.report.tables import funnel, losses, rejections

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}\u202e'
_VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects tags and checks that they are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_alone_and_says_what_is_in_the_dataset(small_dataset: str, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_report(open_dataset(small_dataset), out)
    html = out.read_text(encoding="utf-8")
    page = Page(html)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "url(" not in html
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 3 * 8  # six samples by hash, and two of the best; none is bad
    for attrs in images:
        assert attrs["alt"]
        kind, data = (attrs["src"] or "").split(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 480
    assert [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)][:2] == ["h1", "h2"]
    words = " ".join(" ".join(page.words).split())
    for expected in (
        "too_dark",
        "above the darkness gate",
        "village",
        "CC-BY-4.0",
        "composer 1",
        "engine 1",
        "Mill Lane",
    ):
        assert expected in words


def test_the_same_dataset_gives_the_same_page(small_dataset: str) -> None:
    dataset = open_dataset(small_dataset)
    assert render_report(dataset) == render_report(dataset)


def test_hostile_text_stays_text(
    tmp_path: Path, make_sample: Callable[..., Sample], publish_samples: Callable[..., str]
) -> None:
    sample = make_sample(sample_id=EVIL, description=EVIL, captioner=EVIL)
    view = sample.street_view.model_copy(update={"author": EVIL, "licence": EVIL, "link": "javascript:alert(1)"})
    assert sample.aerial_chip is not None
    chip = sample.aerial_chip.model_copy(update={"link": "https://example.org/" + EVIL})
    sentences = [s.model_copy(update={"text": EVIL}) for s in sample.sentences]
    cues = [cue.model_copy(update={"source": EVIL, "text": EVIL}) for cue in sample.cues]
    hostile = {"street_view": view, "aerial_chip": chip, "sentences": sentences, "cues": cues}
    folder = tmp_path / "dataset"
    publish_samples(
        folder, [make_sample(1)], pictures={EVIL: {EVIL: 1}}, regions={EVIL: {"train": 1}}, failed={EVIL: 2}
    )
    plain = Page(render_report(open_dataset(str(folder))))
    publish_samples(
        folder,
        [sample.model_copy(update=hostile)],
        pictures={EVIL: {EVIL: 1}},
        regions={EVIL: {"train": 1}},
        failed={EVIL: 2},
        missing={EVIL: 1},
        captioners={EVIL: 1},
    )
    html = render_report(open_dataset(str(folder)))
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert all((attrs["href"] or "").startswith("https://") for tag, attrs in page.tags if tag == "a")
    assert "\u202e" not in html
    assert "{{ 7*7 }}" in "".join(page.words)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//host/x", "file:///etc", "http://[", "", "https://a/\u202eb"]
)
def test_only_web_links_are_links(link: str) -> None:
    assert web_link(link) is None
    assert web_link("https://example.org/a") == "https://example.org/a"


def test_the_funnel_goes_down_by_what_failed_at_each_step(small_dataset: str) -> None:
    counts = open_dataset(small_dataset).manifest.counts.model_copy(
        update={
            "sites": 20,
            "failed": {"too_dark": 3, "no_cues": 2, "too_long": 1, "read_failed": 0},
            "excluded": {"near_duplicate": 3, "split_embargo": 1},
        }
    )
    assert [(step.count, step.lost) for step in funnel(counts)] == [(20, 0), (17, 3), (15, 2), (14, 1), (10, 4)]
    assert funnel(counts)[-1].count == counts.published
    rows = losses(counts)
    assert [row.reason for row in rows] == ["near_duplicate", "too_dark", "no_cues", "split_embargo", "too_long"]
    assert rows[3].explanation == "too near to a site of another split"


def test_a_dataset_without_samples_has_a_report(tmp_path: Path, publish_samples: Callable[..., str]) -> None:
    tmp_path.joinpath("data").mkdir()
    Page(render_report(open_dataset(publish_samples(tmp_path, [], sites=3, failed={"too_dark": 3}))))


def test_figures_about_the_words(small_dataset: str) -> None:
    found = gather(open_dataset(small_dataset))
    assert found.tokens.counts == Counter(range(24, 34))
    assert found.words.counts == {15: 10}
    assert {kind: (f.cues, f.used, f.samples) for kind, f in found.kinds.items()} == {
        "text": (10, 10, 10),
        "object": (10, 10, 10),
        "map": (10, 10, 10),
    }
    assert found.engines == {"engine 1": 30}


def test_descriptions_that_were_rejected_are_a_share_of_the_sites_read(small_dataset: str) -> None:
    failed = {"too_dark": 4, "no_cues": 2, "ungrounded": 3, "bad_reply": 1}
    counts = open_dataset(small_dataset).manifest.counts.model_copy(update={"sites": 20, "failed": failed})
    assert [(row.reason, row.count, row.share.of) for row in rejections(counts)] == [
        ("ungrounded", 3, 14),
        ("bad_reply", 1, 14),
    ]
    outcomes = {"town": {"finished": 7, "ungrounded": 3, "too_dark": 2}, "village": {"bad_reply": 1, "no_cues": 7}}
    by_region = rejections(counts.model_copy(update={"outcomes": outcomes}))[2:]
    assert [(row.region, row.reason, row.count, row.share.of) for row in by_region] == [
        ("town", "ungrounded", 3, 10),
        ("village", "bad_reply", 1, 1),
    ]
    assert [(step.title, step.count) for step in funnel(counts)][2:4] == [("has cues", 14), ("described", 10)]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_whisker_stays_on_its_line(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    drawn = whisker(Estimate(value, low, high, 9), 1.0)
    assert drawn is not None
    assert 0 <= drawn.low <= drawn.x <= drawn.high <= WHISKER_SIZE[0]
    assert whisker(None, 1.0) is None


@given(st.dictionaries(st.integers(min_value=0, max_value=400), st.integers(min_value=1, max_value=999), max_size=60))
def test_a_histogram_loses_nothing_and_stays_in_its_frame(counts: dict[int, int]) -> None:
    lengths = Lengths(Counter(counts))
    bars = histogram(lengths)
    assert sum(bar.count for bar in bars) == sum(counts.values())
    for bar in bars:
        assert 0 <= bar.x <= bar.x + bar.width <= HISTOGRAM_SIZE[0] + 0.1
        assert 0 <= bar.y <= bar.y + bar.height <= HISTOGRAM_SIZE[1] + 0.1
        assert bar.count == sum(count for length, count in counts.items() if bar.low <= length <= bar.high)
    expanded = sorted(Counter(counts).elements())
    assert lengths.median == (expanded[(len(expanded) - 1) // 2] if expanded else 0)


def test_a_region_across_the_antimeridian_is_one_cluster() -> None:
    drawn = region_map("fiji", {"train": [(179.999, -17.0), (-179.999, -17.0)], "test": [(179.9995, -17.001)]})
    assert drawn.extent_m < 300
    spots = [tuple(map(int, spot)) for path in drawn.paths.values() for spot in re.findall(r"M(\d+) (\d+)h0", path)]
    assert len(spots) == 3
    assert all(0 < value < MAP_SIZE for spot in spots for value in spot)


def test_a_map_of_many_sites_stays_small() -> None:
    points = [(13 + i % 400 / 4000, 52 + i // 400 / 4000) for i in range(100_000)]
    assert len(region_map("town", {"train": points}).paths["train"]) < 120_000
