"""What a build shows while it runs: a table that fits the terminal, or a line a minute."""

import io
import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, ConsoleDimensions

from pipeline.engine.counts import Counts
from pipeline.engine.progress import Progress, StageProgress
from tools.cli.display import LiveTable, PlainProgress
from tools.cli.rates import WINDOW_S, Rates

STAGES = ("imagery", "cues", "captions")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def world(minute: int) -> Progress:
    """225 regions: 100 that are finished, one that is fast, 24 slow ones, and 100 that wait."""
    progress: Progress = {}
    for i in range(225):
        units = 300 if i < 100 else min(300, minute * (20 if i == 110 else 2)) if i < 125 else 0
        progress[f"region-{i:03d}", "sites"] = StageProgress(1, 1, Counts(4600, {}))
        for stage in STAGES:
            failed = {"too_dark": 3} if i == 110 else {}
            progress[f"region-{i:03d}", stage] = StageProgress(300, units, Counts(units * 15, failed))
    return progress


def shown(table: LiveTable, minutes: int, width: int = 80, height: int = 24) -> list[str]:
    asked = {f"provider-{i}": {"requests": 0, "bytes": 0} for i in range(9)}
    out, size = io.StringIO(), ConsoleDimensions(width, height)
    for minute in range(minutes + 1):
        asked["provider-3"] = {"requests": 1_200 * minute, "bytes": 60_000_000 * minute}
        made = table.render(world(minute), asked, {"tiles.example.org": "503 of " + "x" * 200}, size, minute * 60.0)
        if minute == minutes:
            Console(file=out, width=width, height=height, color_system=None).print(made)
    return out.getvalue().splitlines()


def test_225_regions_fit_24_rows_of_80_columns_the_busiest_first() -> None:
    lines = shown(LiveTable(), 3)
    assert len(lines) < 24
    assert all(len(line) <= 80 for line in lines)
    text = "\n".join(lines)
    assert re.match(r"region +sites +imagery +cues +captions +failed +sites/min", lines[0])
    assert re.match(r"region-110 +4,600 +60/300 +60/300 +60/300 +9 +300", lines[1])
    assert re.search(r"and \d+ more: 100 done", text)
    assert "imagery: 30,204 of 67,500 units" in text
    assert re.search(r"provider-3 +3,600 +20.0 +1.0", text)
    assert "paused: tiles.example.org: 503" in text


@pytest.mark.parametrize("height", [5, 10, 24, 60])
def test_the_table_is_never_higher_than_the_terminal_if_that_has_room_for_the_totals(height: int) -> None:
    assert len(shown(LiveTable(), 1, height=height)) <= max(height, 15)


def test_a_long_name_is_cut_off_before_any_number_is_and_long_totals_have_two_lines() -> None:
    name = "a-region-whose-name-is-as-long-as-a-name-may-be-which-is-63-lett"[:63]
    progress: Progress = {(name, "sites"): StageProgress(1, 1, Counts(123_456, {}))}
    for stage in STAGES:
        progress[name, stage] = StageProgress(1_597, 1_234, Counts(98_765, {"too_dark": 12_345}))
    size, out = ConsoleDimensions(80, 24), io.StringIO()
    table = LiveTable()
    table.render({}, {}, {}, size, 0.0)
    Console(file=out, width=80, color_system=None).print(table.render(progress, {}, {}, size, 60.0))
    header, region, *totals = out.getvalue().splitlines()
    assert re.match(r"region +sites +imagery +cues +captions +failed +sites/min", header)
    assert re.match(r"a-region-.*…  123,456  1,234/1,597  1,234/1,597  1,234/1,597  37,035 +\d+$", region)
    assert max(len(line) for line in (header, region, *totals)) <= 80
    assert len(totals) == 7
    assert "cues: 1,234 of 1,597 units, 12,345 sites failed, 111110 sites/min, about 18 s left" in " ".join(totals)
    assert all(line.endswith("left") for line in totals[2::2])


def test_rates_are_those_of_the_last_minutes() -> None:
    table = LiveTable()
    for minute in range(10):
        table.render(world(minute), {}, {}, ConsoleDimensions(80, 24), minute * 60.0)
    slow = [table.render(world(9), {}, {}, ConsoleDimensions(80, 24), 540.0 + minute * 60.0) for minute in range(1, 7)]
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(slow[-1])
    assert "0 sites/min, time left unknown" in out.getvalue(), "nothing was finished for longer than the window"


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 50)), min_size=1, max_size=60))
def test_a_rate_is_the_growth_over_the_window(steps: list[tuple[float, int]]) -> None:
    rates, now, count = Rates(), 0.0, 0
    history = [(now, count)]
    rates.note(now, {"x": count})
    for pause, more in steps:
        now, count = now + pause, count + more
        history.append((now, count))
        rates.note(now, {"x": count})
    within = [(at, n) for at, n in history if now - at <= WINDOW_S]
    longest = max((later - at for (at, _), (later, _) in itertools.pairwise(history)), default=0.0)
    least = (count - within[0][1]) / (WINDOW_S + longest + 1) if len(within) > 1 else 0.0
    assert rates.per_s("x") >= least - 1e-9 or now < WINDOW_S
    if now <= WINDOW_S:
        assert rates.per_s("x") == pytest.approx(count / now)


def test_elsewhere_there_is_a_line_a_minute_with_the_time_and_one_at_the_end() -> None:
    lines: list[str] = []
    plain = PlainProgress(lines.append)
    for second in range(0, 185, 5):
        plain.at(world(second // 60), float(second), NOON + timedelta(seconds=second))
    assert [line.partition(" ")[0] for line in lines] == [f"2026-01-01T12:0{minute}:00Z" for minute in (1, 2, 3)]
    assert "sites: 225 of 225 regions, done; imagery: 30,068 of 67,500 units, 3 sites failed" in lines[0]
    plain.end()
    plain.end()
    assert len(lines) == 3, "at that moment nothing new was known"
    plain.at(world(9), 186.0, NOON + timedelta(seconds=186))
    plain.end()
    assert lines[-1].startswith("2026-01-01T12:03:06Z")
