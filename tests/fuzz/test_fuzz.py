"""The fuzz suite itself: what nothing is wrong with is read, what is spoilt ends in errors of ours, faults are told."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from pipeline.errors import ConfigError, SiteError
from schemas.reasons import Reason
from tests.fuzz import runner
from tests.fuzz.reader import Reader
from tests.fuzz.readers import readers
from tests.fuzz.runner import fuzz


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[Reader]:
    return list(readers(tmp_path_factory.mktemp("readers")))


def test_every_reader_reads_what_nothing_is_wrong_with(known: list[Reader], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAPILLARY_TOKEN", "x")
    for reader in known:
        try:
            reader.read(reader.sound)
        except (SiteError, ConfigError) as error:
            pytest.fail(f"{reader.name}: {error}")


def test_spoilt_inputs_end_in_errors_of_ours(known: list[Reader], tmp_path: Path) -> None:
    for reader in known:
        outcome = fuzz(reader, 10, 7, tmp_path)
        assert outcome.inputs == 10
        assert outcome.faults == {}, reader.name


def refuse(_: bytes) -> None:
    raise SiteError(Reason.BAD_ANSWER, "no")


def break_down(data: bytes) -> None:
    raise KeyError(data)


def waste_time(_: bytes) -> None:
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass


def waste_memory(_: bytes) -> None:
    np.ones(10_000_000)


@pytest.mark.parametrize(
    ("read", "count", "fault"),
    [
        (len, "read", None),
        (refuse, "bad_answer", None),
        (break_down, "fault", "! KeyError: \"b'x'\" at test_fuzz.py:"),
        (waste_time, "read", "! over 0.01 s of the processor"),
        (waste_memory, "read", "! over 50 MB"),
    ],
)
def test_what_goes_wrong_is_told_with_its_input(
    read: Callable[[bytes], object],
    count: str,
    fault: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "MOST_CPU_S", 0.01 if read is waste_time else 1_000)
    monkeypatch.setattr(runner, "MOST_BYTES", 50_000_000)
    outcome = fuzz(Reader("one, of mine", st.just(b"x"), read, b"x"), 3, 0, tmp_path)
    assert outcome.counts == {count: outcome.inputs}
    if fault is None:
        assert (outcome.faults, list(tmp_path.iterdir())) == ({}, [])
        return
    [(told, kept)] = outcome.faults.items()
    assert told.startswith(fault)
    assert Path(kept).read_bytes() == b"x"
