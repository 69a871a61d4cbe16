"""Batches that fit the memory, devices that are there, weights that cannot run code."""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MachineError
from pipeline.perception import devices
from pipeline.perception.devices import GROW_AFTER, BatchSize, chosen, load_torch

pytestmark = pytest.mark.models

pytest.importorskip("torch", reason="the extra perception is not installed: make test-models")
torch = load_torch()


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20), st.integers(1, 20))
def test_all_items_come_back_in_order_however_little_fits(items: list[int], most: int, room: int) -> None:
    given_at_once: list[int] = []

    def double(some: Sequence[int]) -> list[int]:
        if len(some) > room:
            torch.empty(2**50)  # torch's own failure, which on a CPU is a RuntimeError
        given_at_once.append(len(some))
        return [2 * item for item in some]

    size = BatchSize(most, "item")
    assert size.map(items, double) == [2 * item for item in items]
    assert max(given_at_once, default=0) <= min(most, room)
    if len(items) > most:
        assert 2 * size.size + 1 > min(most, room)  # halved, rounding down, no further than needed


@pytest.mark.parametrize("error", [MemoryError("full"), torch.OutOfMemoryError("full")])
def test_other_ways_to_run_out(error: Exception) -> None:
    def work(size: int) -> int:
        if size > 2:
            raise error
        return size

    assert BatchSize(8, "item").attempt(work) == 2


def test_a_halved_size_is_kept_and_grows_again_when_memory_is_free(caplog: pytest.LogCaptureFixture) -> None:
    size, room = BatchSize(8, "view"), 2

    def work(some: int) -> None:
        if some > room:
            raise MemoryError

    size.attempt(work)
    assert size.size == 2
    assert [record.getMessage() for record in caplog.records] == [
        "memory does not suffice for 8 x view at once, going on with 4",
        "memory does not suffice for 4 x view at once, going on with 2",
    ]
    room = 100
    for _ in range(2 * GROW_AFTER):
        size.attempt(work)
    assert size.size == 8


def test_one_that_does_not_fit_says_what_to_do() -> None:
    with pytest.raises(MachineError, match=r"one view.*cannot|can't allocate memory.*smaller model"):
        BatchSize(4, "view").attempt(lambda _: torch.empty(2**50))


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        BatchSize(4, "view").attempt(lambda _: (_ for _ in ()).throw(RuntimeError("shapes differ")))


def test_a_gpu_asked_for_by_name_must_be_there() -> None:
    assert chosen("cpu") == "cpu"
    if torch.cuda.is_available():
        assert chosen("auto") == chosen("cuda") == "cuda"
    else:
        assert chosen("auto") == "cpu"
        with pytest.raises(MachineError, match="no GPU"):
            chosen("cuda")


def test_weights_cannot_run_code_whoever_loads_them(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[type[Path], tuple[str]]:
            return Path, (str(tmp_path),)

    torch.save({"weights": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "bomb.pth", weights_only=False)  # as EasyOCR does


def test_without_torch_the_engines_can_be_imported_and_say_what_to_install() -> None:
    program = """
import sys
sys.modules["torch"] = None  # what Python finds for a package that is not installed
import pipeline.perception.easyocr, pipeline.perception.sam, pipeline.perception.open_vocabulary
from pipeline.config.perception import EasyOcr
from pipeline.errors import MachineError
try:
    pipeline.perception.easyocr.EasyOcrEngine(EasyOcr(engine="easyocr"))
except MachineError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert devices.MEND in said
