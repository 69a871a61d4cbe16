"""A real PostgreSQL for tests that want one: one server a session, a new database for each that asks."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from sqlalchemy import create_engine, text

from tools.dev.postgresql import programs, running

_numbers = count(1)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server, without a database: `postgresql://USER@HOST:PORT`."""
    if programs() is None:
        pytest.fail("no PostgreSQL: run these tests by `make test-servers`, which installs it")
    with running(tmp_path_factory.mktemp("postgresql")) as address:
        yield address


@pytest.fixture
def new_database(postgresql: str) -> Callable[[], str]:
    """A function that makes an empty database and returns its address."""

    def made() -> str:
        name = f"test_{next(_numbers)}"
        at = f"{postgresql.replace('postgresql', 'postgresql+pg8000')}/postgres"
        engine = create_engine(at, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"{postgresql}/{name}"

    return made
