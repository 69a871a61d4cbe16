"""InfoNCE by its definition, masks of overlapping chips, and several processes that must be as one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from pipeline.geo.overlaps import from_lists  # noqa: E402
from tests.retrieval import one_of_two  # noqa: E402
from tests.retrieval.conftest import free_port  # noqa: E402
from tools.retrieval.data.index import Index, read_index  # noqa: E402
from tools.retrieval.data.select import Selection  # noqa: E402
from tools.retrieval.losses import Negatives, info_nce  # noqa: E402

pytestmark = pytest.mark.models

ROOT = Path(__file__).parents[2]


def plain(a: np.ndarray, b: np.ndarray, scale: float, negative: np.ndarray) -> float:
    """Mean over both directions and all rows of -log of the right one's share among itself and its negatives."""
    n, losses = len(a), []
    for x, y, allowed in ((a, b, negative), (b, a, negative.T)):
        for i in range(n):
            others = [j for j in range(n) if j == i or allowed[i, j]]
            shares = np.exp([scale * float(x[i] @ y[j]) for j in others])
            losses.append(-np.log(shares[others.index(i)] / shares.sum()))
    return float(np.mean(losses))


@pytest.mark.parametrize("n", [1, 2, 9])
def test_info_nce_is_its_definition(n: int) -> None:
    random = np.random.default_rng(n)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in random.standard_normal((2, n, 5)))
    negative = random.random((n, n)) > 0.4
    for allowed in (negative, np.ones((n, n), bool), np.zeros((n, n), bool)):
        found = info_nce(torch.from_numpy(a), torch.from_numpy(b), torch.tensor(7.0), torch.from_numpy(allowed))
        assert float(found) == pytest.approx(plain(a, b, 7.0, allowed), rel=1e-6, abs=1e-9)


def test_a_pair_that_is_no_negative_feels_no_push() -> None:
    a, b = (torch.nn.functional.normalize(torch.randn(3, 4), dim=-1).requires_grad_() for _ in range(2))
    negative = torch.tensor([[False, False, True], [False, False, True], [True, True, False]])
    info_nce(a, b, torch.tensor(5.0), negative).backward()
    pushed = b.grad.clone()
    with torch.no_grad():
        a[0] = -a[0]
    b.grad = None
    info_nce(a, b, torch.tensor(5.0), negative).backward()
    assert torch.allclose(b.grad[1], pushed[1])
    assert not torch.allclose(b.grad[2], pushed[2])


def test_overlapping_chips_are_no_negatives(fields_dataset: str) -> None:
    index: Index = read_index([fields_dataset], Selection())
    rows = torch.tensor([3, 4, 9, 3])
    apart = Negatives(index, ("aerial",), 0.0).among(rows)
    assert apart.tolist() == [
        [False, True, True, False], [True, False, True, True], [True, True, False, True], [False, True, True, False]
    ]  # fmt: skip
    near = index.lat.copy()
    near[4] = index.lat[3] + 48 / 111_200  # half a chip
    near[9], index.lon[4] = near[9], index.lon[3]
    moved = index.take(np.arange(len(index)))
    moved.lat[:] = near
    assert not Negatives(moved, ("aerial",), 0.0).among(rows)[0, 1]
    assert not Negatives(moved, ("aerial",), 0.4).among(rows)[1, 0]
    assert Negatives(moved, ("aerial",), 0.6).among(rows)[0, 1]


def test_overlaps_that_the_dataset_states_make_the_mask(fields_dataset: str) -> None:
    index: Index = read_index([fields_dataset], Selection())
    nothing = np.empty(0, np.int64), np.empty(0)
    lists = [nothing] * len(index)
    lists[5], lists[8] = (np.array([8]), np.array([0.3])), (np.array([5]), np.array([0.3]))
    stated = index.take(np.arange(len(index)))
    object.__setattr__(stated, "overlaps", from_lists(lists))
    rows = torch.tensor([8, 1, 5])
    assert Negatives(stated, ("aerial",), 0.0).among(rows).tolist() == [
        [False, True, False], [True, False, True], [False, True, False]
    ]  # fmt: skip
    assert Negatives(stated, ("aerial",), 0.5).among(rows)[0, 2]


@pytest.mark.slow  # two processes that load torch
def test_two_processes_are_as_one(tmp_path: Path) -> None:
    """Loss terms, gradients of every parameter: the same as of one process with the whole batch."""
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.retrieval.one_of_two", str(tmp_path / "found.pt")],
            cwd=ROOT,
            env=os.environ
            | {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": "1",
            },
        )
        for rank in (0, 1)
    ]
    assert [process.wait() for process in started] == [0, 0]
    together = torch.load(tmp_path / "found.pt", weights_only=True)
    for config, found in zip(one_of_two.CONFIGS, together, strict=True):
        alone: dict[str, Any] = one_of_two.gradients(config, 0, 1)
        assert found.keys() == alone.keys()
        assert sum(float(value.abs().sum()) > 0 for value in alone.values()) > 20
        for name, value in alone.items():
            assert float((found[name] - value).abs().max()) <= 2e-5 * max(0.01, float(value.abs().max())), name
