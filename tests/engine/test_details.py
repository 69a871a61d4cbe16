"""What sites failed of is counted in words, and the commonest is told with each reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.config.running import Limits
from pipeline.engine.build import Outcome
from pipeline.engine.counts import Counts, ViewCounts
from pipeline.engine.details import Details, commonest
from pipeline.engine.layers import COUNTS, commit, read_counts
from pipeline.engine.outcome import Busy
from pipeline.stages import STAGES
from pipeline.storage import open_store
from schemas.reasons import Reason
from schemas.records import CueRow
from tools.cli.tables import print_outcome


def row(site_id: str, detail: str, reason: Reason = Reason.MODEL_REFUSED) -> CueRow:
    return CueRow(site_id=site_id, status="failed", reason=reason, detail=detail, cues=[])


def test_details_that_differ_in_numbers_and_names_alone_count_as_one() -> None:
    said = [f"HTTP 500: out of memory, at try 5 of turn observe {view}" for view in ("9f3e-1", "0@90", "77")]
    (first, second) = commonest([*said, "HTTP 400: bad picture"]).counted
    assert first == (min(said), 3)
    assert second == ("HTTP 400: bad picture", 1)


def test_the_order_of_sites_does_not_matter() -> None:
    said = ["b 1", "a", "b 2", "c", "d", "a"]
    assert commonest(said) == commonest(reversed(said))
    assert commonest(said).counted == (("a", 2), ("b 1", 2), ("c", 1))


def test_counts_of_tables_add_up() -> None:
    one = Counts(1, {"refused": 2}, {"refused": Details((("no 1", 2),))})
    other = Counts(0, {"refused": 4, "gone": 1}, {"refused": Details((("yes", 3), ("no 0", 1))), "gone": Details()})
    both = one + other
    assert both.failed == {"refused": 6, "gone": 1}
    assert both.details["refused"].counted == (("no 0", 3), ("yes", 3))
    assert both == other + one


@pytest.mark.parametrize("hostile", [COUNTS.decode() + ' {"ok": 9, "failed": {}}', "\x1b[31m\n\0", "é" * 5_000, ""])
def test_words_from_elsewhere_spoil_no_table(tmp_path: Path, hostile: str) -> None:
    store = open_store(str(tmp_path))
    rows = [row("a", hostile), row("b", hostile)]
    counts = read_counts(store, commit(store, "cues", "r", "u", "abc", CueRow, rows))
    assert counts.failed == {"model_refused": 2}
    ((detail, number),) = counts.details["model_refused"].counted
    assert number == 2
    assert detail.isprintable()
    assert len(detail) <= 200


def test_tables_of_earlier_versions_have_no_details(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    monkeypatch.setattr(Counts, "as_json", lambda _: b'{"ok": 0, "failed": {"gone": 1}}')
    file = commit(store, "cues", "r", "u", "abc", CueRow, [row("a", "x", Reason.GONE)])
    assert read_counts(store, file) == Counts(0, {"gone": 1})


def test_the_closing_words_quote_the_server(capsys: pytest.CaptureFixture[str], small_build: object) -> None:
    assert callable(small_build)
    build: Build = small_build()
    refused = Counts(0, {"model_refused": 3}, {"model_refused": Details((("HTTP 400: [red] no", 2), ("other", 1)))})
    names = [stage.name for stage in STAGES]
    counts = {name: refused if name == "captions" else Counts(3, {}) for name in names}
    ended = Outcome(3, counts, dict.fromkeys(names, 1) | {"publish": 0}, None, Limits(allowed_failed_share=1.0))
    print_outcome(build, ended)
    assert "refused a picture or the request (does not pass by itself)" in capsys.readouterr().out
    print_outcome(build.model_copy(update={"captioner": Dialogue(engine="dialogue", model="any")}), ended)
    said = capsys.readouterr().out
    assert "refused a picture or the request (does not pass by itself; a retry asks the model anew)" in said
    assert "2 of 3: HTTP 400: [red] no" in said


def test_the_closing_words_say_what_is_left_to_do_and_which_missing_views_may_come(
    capsys: pytest.CaptureFixture[str], small_build: Callable[..., Build]
) -> None:
    names = [stage.name for stage in STAGES]
    seen = {"aerial": ViewCounts(1, {"refused": 1, "unreachable": 2}), "map": ViewCounts(0, {"refused": 4})}
    counts = {"imagery": Counts(4, {}, views=seen), "cues": Counts(0, {}), "captions": Counts(0, {})}
    none = dict.fromkeys(names, 0) | {"publish": 0}
    print_outcome(small_build(), Outcome(4, counts, none, None, Limits(), unfinished=2))
    said = capsys.readouterr().out
    assert "tables made: none\n" in said
    assert "2 units not finished" in said
    assert "aerial missing at 3 sites: 1 refused, 2 unreachable" in said
    assert said.count("refused the request (does not pass by itself)") == 1
    assert "at every attempt (may pass: retry)" in said
    print_outcome(small_build(), Outcome(4, counts, none, None, Limits()))
    assert "tables made: none, all were up to date" in capsys.readouterr().out
    print_outcome(small_build(), Outcome(4, counts, none, None, Limits(), busy=Busy(2.0, {"imagery": 1.0})))
    assert "tables made: none, what was tried again came out the same" in capsys.readouterr().out
