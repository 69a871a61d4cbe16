"""Text from photos, models and annotators is hostile: each field is tried with markup and scripts in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import pytest
from playwright.sync_api import expect

from schemas.records import Claim, Note, Sample, Sentence
from tests.audit.browser.conftest import Server, Watched, at_work, settled
from tests.audit.browser.test_page import PLAIN, events
from tests.tools.conftest import make_sample, publish

__all__ = ["make_sample"]

ATTACKS = (
    pytest.param('<img src=x onerror="window.hit=1">', marks=pytest.mark.seldom),
    "\"'><script>window.hit=1</script>",
    pytest.param("<svg/onload=window.hit=1>", marks=pytest.mark.seldom),
    "javascript:window.hit=1",
    pytest.param("{{constructor.constructor('window.hit=1')()}}", marks=pytest.mark.seldom),
    "</textarea><iframe srcdoc='<script>parent.hit=1</script>'>",
)


def hostile(make: Callable[..., Sample], number: int, attack: str) -> Sample:
    """A sample with an attack in every text that the page shows."""
    base = make(number)
    claim = Claim(
        text=f"{attack} claim",
        kind="sign",
        cites=["t1"],
        outcome="not_witnessed",
        witnesses=["t1", attack],
        detail=attack,
    )
    text = f"A sign reads {attack} there."
    sentences = [Sentence(variant=v, text=text, cue_ids=["t1"], claims=[claim]) for v in ("long", "short", "street")]
    cues = [
        cue.model_copy(update={"text": attack, "label": cue.label, "attribute": attack, "source": attack})
        for cue in base.cues
    ]
    note = Note(
        note_id="n1", kind="lettering", view_id="0", what=attack, looks=attack, text=attack, side="left",
        position=None, bearing_deg=None, depth=None,
    )  # fmt: skip
    credit = {"author": attack, "link": attack, "source": attack, "source_id": attack, "licence": "CC-BY-4.0"}
    fields: dict[str, Any] = {
        "street_view": base.street_view.model_copy(update=credit),
        "aerial_chip": base.aerial_chip and base.aerial_chip.model_copy(update=credit),
        "map_chip": base.map_chip and base.map_chip.model_copy(update=credit),
        "captioner": attack,
        "model": attack,
        "unit": h3.latlng_to_cell(base.lat, base.lon, 9),
    }
    return base.model_copy(
        update={
            **fields,
            "description": text, "description_short": text, "description_street": text,
            "sentences": sentences, "cues": cues, "notes": [note],
        }
    )  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_is_ever_markup(
    tmp_path: Path,
    make_sample: Callable[..., Sample],
    serve: Callable[[Path], Server],
    watch: Callable[..., Watched],
    attack: str,
) -> None:
    where = tmp_path / "hostile"
    publish(where, [hostile(make_sample, 10 * i, attack) for i in range(5)])
    server = serve(where)
    server.take_as_verified()
    server.plan(PLAIN + "which_share: 1\nalike_share: 1\n")
    watched = watch(server.start().url)
    page = at_work(watched)
    seen = set()
    while page.locator(".large img, blockquote").count():
        question = page.inner_text(".question")
        assert attack in page.inner_text(".side" if question == "Is it right?" else "blockquote")
        if question == "Is it right?" and question not in seen:
            page.keyboard.press("d")
            page.keyboard.press("j")
            page.keyboard.press("n")
            page.keyboard.type(attack)
            page.keyboard.press("Escape")
            page.keyboard.press("d")
            page.keyboard.press("e")
            page.locator("#draft-long").fill(f"{attack} edited")
            expect(page.locator(".diff")).to_contain_text("edited")
            page.keyboard.press("Control+Enter")
            expect(page.locator(".editor")).to_have_count(0)
        else:
            page.keyboard.press("a" if question == "Is it right?" else "1")
        seen.add(question)
        settled(page)
    page.goto(server.url + "/report")
    assert attack in page.inner_text("main")
    assert page.evaluate("window.hit") is None
    assert watched.errors == []  # the policy had nothing to stop
    assert watched.elsewhere == []
    decided = [event for event in events(server) if event.action == "decide"]
    assert any(event.payload.get("note") == attack for event in decided)
    report = tmp_path / "report.html"
    server.command("report", server.dataset, "--out", report)
    page.goto(f"file://{report}")
    assert page.evaluate("window.hit") is None
