"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("geoscribe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("geoscribe")

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"


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
