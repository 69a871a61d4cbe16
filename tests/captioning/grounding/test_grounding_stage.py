"""The stage judges what any captioner wrote: what fails is kept with its text and verdicts, and is not published."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.config.captioning import Grounding
from pipeline.errors import SiteError
from pipeline.registry.toolbox import Toolbox
from pipeline.stages.captions import captions
from schemas.arrow import from_table, to_table
from schemas.reasons import Reason
from schemas.records import CaptionRow, CueRow, Sentence
from tests.captioning.grounding.test_grounding import DATA, place


class Writer:
    """A captioner that always writes the same."""

    name = "writer 1"
    prompt_set = "none"
    model: str | None = None

    def __init__(self, answer: Description | SiteError) -> None:
        self.answer = answer

    def fingerprint(self) -> str:
        return self.name

    def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        return [self.answer for _ in sites]


def written(text: str) -> Description:
    return Description(
        text, text, 40, 40, [Sentence(variant="long", text=text, cue_ids=[])], "en", street=text, street_tokens=40
    )


def row(answer: Description | SiteError) -> CaptionRow:
    here = place("mall")
    tools: Any = SimpleNamespace(captioner=Writer(answer), build=SimpleNamespace(grounding=Grounding()))
    cues = CueRow(site_id="mall", status="ok", reason=None, detail=None, cues=here.cues)
    (found,) = captions([here.site], [cues], cast(Toolbox, tools), {})
    return from_table(CaptionRow, to_table(CaptionRow, [found]))[0]


GOOD = DATA["good"][0]["text"]


def test_what_is_borne_out_is_ok_and_has_its_verdicts() -> None:
    found = row(written(GOOD))
    assert (found.status, found.reason, found.street) == ("ok", None, GOOD)
    assert {v.outcome for v in found.verdicts} <= {"supported", "unknown"}


def test_what_is_not_fails_and_is_kept() -> None:
    text = GOOD + " A lighthouse stands behind me."
    found = row(written(text))
    assert (found.status, found.reason, found.long) == ("failed", Reason.UNGROUNDED, text)
    assert found.detail is not None
    assert "lighthouse" in found.detail
    assert found.sentences
    assert any(v.outcome == "unsupported" for v in found.verdicts)


@pytest.mark.parametrize("text", [GOOD, GOOD + " A lighthouse stands behind me."])
def test_the_captioners_own_fault_comes_first_and_keeps_the_text(text: str) -> None:
    found = row(replace(written(text), fault=(Reason.TOO_LONG, "310 tokens")))
    assert (found.status, found.reason, found.detail, found.long) == ("failed", Reason.TOO_LONG, "310 tokens", text)


def test_a_site_without_a_description_has_none() -> None:
    found = row(SiteError(Reason.NO_CUES, "nothing"))
    assert (found.status, found.reason, found.long, found.verdicts) == ("failed", Reason.NO_CUES, None, [])
