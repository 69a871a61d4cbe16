"""A stand-in in a child process, and a plain client."""

from collections.abc import Iterator

import pytest

from tests.dev.standin.plain import PlainClient
from tools.dev.standin import Running, running

BOX = "-1.1545,46.1575,-1.1495,46.1607"
"""West, south, east, north of a part of the town."""


@pytest.fixture(scope="session")
def standin() -> Iterator[Running]:
    """A stand-in without faults."""
    with running() as server:
        yield server


@pytest.fixture
def ask() -> PlainClient:
    """A client without a key."""
    return PlainClient()


@pytest.fixture
def graph(standin: Running) -> PlainClient:
    """A client with Mapillary's key."""
    return PlainClient(headers={"Authorization": f"OAuth {standin.key}"})


@pytest.fixture
def box() -> str:
    """A part of the town."""
    return BOX
