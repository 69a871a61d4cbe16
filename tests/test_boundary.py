"""The boundary to what is not ours: one site or one file fails, with what happened in log and message, and no more."""

import errno
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.boundary import FIRST_SITES, Boundary, last_line, on_site, reading
from pipeline.errors import BuildStopped, ConfigError, MachineError, Problem, SiteError
from pipeline.net import redact
from schemas.reasons import Reason


def boundary() -> Boundary:
    return Boundary("street source s: near", Reason.BAD_ANSWER)


def failing(guard: Boundary, site: str, message: str = "what is this") -> None:
    with on_site(site), guard.guard():
        raise KeyError(message)


def fail(guard: Boundary, site: str, message: str = "what is this") -> SiteError:
    with pytest.raises(SiteError) as caught:
        failing(guard, site, message)
    return caught.value


def test_a_foreign_exception_becomes_the_sites_with_its_last_line_and_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = fail(boundary(), "one")
    assert error.reason == Reason.BAD_ANSWER
    assert error.detail.startswith("street source s: near: KeyError: 'what is this' (test_boundary.py:")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "Traceback" in caplog.text
    assert "KeyError: 'what is this'" in caplog.text


def test_the_traceback_of_one_fault_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = boundary()
    for number in range(9):
        fail(guard, f"site {number}", f"item {number}")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(
    "ours",
    [
        SiteError(Reason.GONE, "x"),
        ConfigError([Problem("a", "b", "c")]),
        MachineError("x"),
        BuildStopped(),
        KeyboardInterrupt(),
        SystemExit(),
    ],
)
def test_errors_of_ours_and_what_ends_a_process_pass_unchanged(ours: BaseException) -> None:
    for _ in range(2 * FIRST_SITES):
        with pytest.raises(type(ours)) as caught, boundary().guard():
            raise ours
        assert caught.value is ours


def test_memory_and_disk_space_are_the_machines() -> None:
    for error in (MemoryError(), OSError(errno.ENOSPC, "No space left on device")):
        with pytest.raises(MachineError, match="free memory or disk space"), boundary().guard():
            raise error
    with pytest.raises(SiteError), boundary().guard():
        raise OSError(errno.EINVAL, "Invalid argument")


def test_a_panic_of_a_rust_extension_is_a_fault_like_any_other() -> None:
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(SiteError, match="PanicException"), boundary().guard():
        raise panic("index out of bounds")


def test_the_same_fault_on_the_first_fifty_sites_stops_the_build() -> None:
    guard = boundary()
    for number in range(FIRST_SITES - 1):
        fail(guard, f"site {number}")
    fail(guard, "site 0")  # several calls are made for a site: it is counted once
    with pytest.raises(MachineError, match="the same way on each of the first 50 sites: KeyError: 'what is this'"):
        failing(guard, "50th")
    fail(guard, "51st")  # a build that is started again in this process counts anew


def test_one_site_that_works_is_enough_for_the_build_to_go_on() -> None:
    guard = boundary()
    for number in range(FIRST_SITES - 1):
        fail(guard, f"before {number}")
    with on_site("good"), guard.guard():
        pass
    for number in range(3 * FIRST_SITES):
        fail(guard, f"after {number}")


def test_faults_of_other_types_or_places_are_counted_apart() -> None:
    guard = boundary()
    for number in range(FIRST_SITES - 1):
        fail(guard, f"site {number}")
        with pytest.raises(SiteError), on_site(f"site {number}"), guard.guard():
            raise ValueError("another")


def test_calls_that_are_made_for_no_site_are_not_counted() -> None:
    guard = boundary()
    for _ in range(2 * FIRST_SITES):
        with pytest.raises(SiteError), guard.guard():
            raise ValueError("while a region is sampled")


def test_threads_share_a_count_and_have_sites_of_their_own() -> None:
    guard, together = boundary(), threading.Barrier(8)

    def work(thread: int) -> int:
        together.wait()
        stopped = 0
        for number in range(20):
            try:
                failing(guard, f"{thread}-{number}")
            except MachineError:
                stopped += 1
            except SiteError:
                pass
        return stopped

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(work, range(8))) == 160 // FIRST_SITES


def test_of_a_batch_only_the_guilty_items_fail() -> None:
    guard, calls = boundary(), []

    def engine(items: Sequence[int]) -> list[str]:
        calls.append(list(items))
        if 5 in items:
            raise RuntimeError("5 is too much")
        return [str(item) for item in items]

    found = guard.each(list(range(8)), engine, str)
    reasons = [one if isinstance(one, str) else one.reason for one in found]
    assert reasons == ["0", "1", "2", "3", "4", Reason.BAD_ANSWER, "6", "7"]
    assert len(calls) <= 7  # halving, not one by one
    assert guard.each([], engine, str) == []


def test_an_engine_that_gives_too_few_results_fails_the_site() -> None:
    found = boundary().each([1, 2], lambda _: [], str)
    assert all(isinstance(one, SiteError) and "0 results for 1 items" in one.detail for one in found)


def test_an_engine_that_fails_on_all_sites_stops_the_build() -> None:
    guard = boundary()

    def engine(_: Sequence[int]) -> list[str]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(MachineError, match="device-side assert"):
        guard.each(list(range(FIRST_SITES)), engine, str)


def test_messages_hold_no_key_no_surrogate_and_no_line_break(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "pipeline.boundary")  # pytest's workers cannot pass on a lone surrogate
    redact.remember("sesame-sesame")
    with pytest.raises(SiteError) as caught, boundary().guard():
        raise ValueError("https://x/?k=sesame-sesame\nand \ud800 " + 1_000 * "long ")
    assert "sesame" not in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 400
    assert SiteError(Reason.GONE, "\udcff").detail == "?"


def test_a_file_that_a_reader_fails_on_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.osm"
    with pytest.raises(ConfigError) as caught, reading(path, "whole OSM XML"):
        raise AttributeError("'NoneType' object has no attribute 'tags'")
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    assert "AttributeError: 'NoneType'" in problem.found
    assert problem.allowed == "whole OSM XML"


def test_the_last_line_of_a_syntax_error_is_its_message() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("a b", "file", "exec")
    assert last_line(caught.value) == "SyntaxError: invalid syntax"


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x00", "\n", "\r", "\u202e", "\u2028", "\x9b"])
def test_what_errors_quote_can_neither_steer_a_terminal_nor_break_a_line(sign: str) -> None:
    detail = SiteError(Reason.GONE, f"a.jpg{sign}gpj").detail
    assert detail.isprintable()
    assert len(SiteError(Reason.GONE, "x" * 1_000_000).detail) < 5_000
    assert str(Problem(f"photos/{sign}.jpg", sign, "[red]a file[/red]")).isprintable()


def test_a_problem_quotes_no_more_than_anybody_reads() -> None:
    text = str(Problem("name", "x" * 3_000_000, "a name"))
    assert len(text) < 2_100
    assert text.endswith("xxx... (3,000,000 characters); allowed: a name")
