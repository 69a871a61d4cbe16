"""Opens the desk's database, SQLite or PostgreSQL, and brings its tables up to date."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from pipeline.errors import ConfigError, MachineError, Problem
from tools.audit.database.tables import settings

_DRIVERS = {"postgresql": "postgresql+pg8000"}
_BUSY_MS = 15_000


@dataclass(frozen=True)
class Desk:
    """An open database, and the clock by which leases end."""

    engine: Engine
    clock: Callable[[], float] = time.time

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that changes something. Writers wait for each other, so the log has one order.

        Raises:
            MachineError: the disk is full, the database cannot be written or its server is gone; nothing was recorded.
        """
        try:
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                connection.execute(select(settings.c.value).where(settings.c.key == "head").with_for_update())
                yield connection
        except DBAPIError as error:
            raise MachineError(
                f"the audit database could not be written ({_said(error)}); nothing was recorded"
            ) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with.

        Raises:
            MachineError: the database cannot be read.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise MachineError(f"the audit database could not be read ({_said(error)})") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_desk(where: str, *, clock: Callable[[], float] = time.time, create: bool = True) -> Desk:
    """Open the database at a path (SQLite) or `postgresql://` URL, and migrate it.

    Args:
        where: path or URL.
        clock: seconds since 1970.
        create: whether a SQLite file that is not there is made.

    Raises:
        ConfigError: it is no database of the desk, or one of a newer version of geoscribe.
        MachineError: it cannot be reached.
    """
    url = _url(where)
    if url.startswith("sqlite") and not create and not Path(where).is_file():
        raise ConfigError([Problem("--database", f"{where}, which is not there", "a database of `geoscribe audit`")])
    try:
        # A server that was restarted has dropped the connections of the pool: each is tried before it is used.
        pool = {} if url.startswith("sqlite") else {"pool_size": 20, "pool_pre_ping": True}
        engine = create_engine(url, **pool)
    except ArgumentError as error:
        raise ConfigError([Problem("--database", where, "a path, or postgresql://USER@HOST/NAME")]) from error
    if url.startswith("sqlite"):
        _prepare_sqlite(engine)
    try:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            _migrate(connection, where)
    except DBAPIError as error:
        engine.dispose()
        raise MachineError(f"the audit database {where} cannot be opened: {_said(error)}") from error
    except ConfigError:
        engine.dispose()
        raise
    return Desk(engine, clock)


def _url(where: str) -> str:
    if "://" not in where:
        Path(where).parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{where}"
    scheme, rest = where.split("://", 1)
    return f"{_DRIVERS.get(scheme, scheme)}://{rest}"


def _prepare_sqlite(engine: Engine) -> None:
    """WAL; full sync, so that an acknowledged decision survives a power cut; transactions that begin as writers."""

    @event.listens_for(engine, "connect")
    def _on_connect(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # the driver begins no transactions of its own
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A writer that began as a reader could not wait for another: SQLite would refuse it at its first change.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _migrate(connection: Connection, where: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        found = f"{make_url(_url(where)).render_as_string()}, which a newer version of geoscribe wrote ({current})"
        raise ConfigError([Problem("--database", found, "one of this version; update geoscribe")])
    if current != scripts.get_current_head():
        command.upgrade(config, "head")


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())
