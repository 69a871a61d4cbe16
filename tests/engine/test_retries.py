"""What a retry asks for anew, by the reason that a site failed for."""

import pytest

from pipeline.engine.work import next_draw
from schemas.reasons import Reason
from schemas.records import CaptionRow, CueRow

ANEW = {"bad_reply", "reply_cut", "too_long", "ungrounded", "too_little_to_say", "model_refused", "indoors"}
"""Where a reply was at fault, which is kept: with the same seeds it would only be found again."""


@pytest.mark.parametrize("reason", Reason)
def test_a_reply_that_was_at_fault_is_drawn_anew(reason: Reason) -> None:
    row = CaptionRow(
        site_id="a", status="failed", reason=reason, detail="", language="", long=None, short=None, long_tokens=0,
        short_tokens=0, sentences=[], draw=2, captioner="dialogue 2", prompt_set="p", model="m",
    )  # fmt: skip
    assert next_draw(row) == (3 if reason in ANEW else 2)
    assert next_draw(CueRow(site_id="a", status="failed", reason=reason, detail="", cues=[])) == 0
