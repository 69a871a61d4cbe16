"""Fixtures that all tests share."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.examples import register

# Workers of the suite share the machine: threads of libraries that spin until there is work cost more than they bring.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(variable, "1")

register()

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a file's tests to one worker: what a file's tests share is then made once."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types

    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real photos, aerial imagery and maps. Absent: the test is skipped, or failed where CI=true."""
    where = Path(os.environ.get("GEOSCRIBE_CORPUS", CORPUS))
    if not (where / "MANIFEST.jsonl").is_file():
        message = (
            f"no corpus at {where}: tests on real photos and maps are left out (set GEOSCRIBE_CORPUS to its folder)"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return where
