"""The boundary to code and data that are not ours: whatever they raise fails one site, or one file, never the build.

Sources, engines and captioners are called through a `Boundary`, local files are read within `reading`. Errors of ours
(`pipeline.errors`) pass both unchanged; any other exception becomes one of ours, with the traceback in the log and its
last line in the message.
"""

import errno
import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from pipeline.errors import BuildStopped, ConfigError, MachineError, Problem, SiteError
from pipeline.net import redact
from schemas.reasons import Reason

FIRST_SITES = 50
"""The same exception on so many sites, before any site worked, is taken for a fault of the installation."""
_OURS = (SiteError, ConfigError, MachineError, BuildStopped)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS})
"""Operating system errors that are the machine's, whoever meets them."""
_LONGEST = 300

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")

_site: ContextVar[str | None] = ContextVar("site", default=None)


@contextmanager
def on_site(site_id: str) -> Iterator[None]:
    """Calls within are made for this site: a `Boundary` counts sites, and a site takes several calls."""
    token = _site.set(site_id)
    try:
        yield
    finally:
        _site.reset(token)


class Boundary:
    """Guards calls of one method of one source or engine. Threads may share it; each process counts for itself."""

    def __init__(self, what: str, reason: Reason) -> None:
        """Nothing has failed yet.

        Args:
            what: names the method in messages, as `street photos: near`.
            reason: of the sites that its exceptions fail.
        """
        self.what = what
        self.reason = reason
        self._lock = threading.Lock()
        self._worked = False
        self._logged: set[tuple[str, str]] = set()
        self._sites: dict[tuple[str, str], set[str]] = {}
        """By type and place of an exception: the sites that met it. Empty as soon as a call has worked."""

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call, and turn an exception that is none of ours into one.

        Raises:
            SiteError: with the reason of this boundary.
            MachineError: memory or disk space is used up; or the same exception came up on the first 50 sites and no
                call had worked.
        """
        try:
            yield
        except _OURS:
            raise
        except BaseException as error:
            if not _is_foreign(error):
                raise
            raise self._ours(error) from error
        self._note_success()

    def each(
        self, items: Sequence[T], call: Callable[[Sequence[T]], Sequence[R]], site_of: Callable[[T], str]
    ) -> list[R | SiteError]:
        """Results of a call that takes many items; where it raises, the guilty items are found by halving.

        Args:
            items: one a site.
            call: gives one result for each of the items that it is given, in their order.
            site_of: an item's site id.

        Returns:
            For each item its result, or why it has none.

        Raises:
            MachineError: as `guard`.
        """
        if not items:
            return []
        if len(items) == 1:
            try:
                with on_site(site_of(items[0])), self.guard():
                    return [*_as_many(call(items), 1)]
            except SiteError as error:
                return [error]
        try:
            found = _as_many(call(items), len(items))
        except (ConfigError, MachineError, BuildStopped):
            raise
        except BaseException as error:
            if not _is_foreign(error):
                raise
            log.debug("%s: %d items failed together; trying them apart", self.what, len(items), exc_info=error)
        else:
            self._note_success()
            return [*found]
        middle = len(items) // 2
        return self.each(items[:middle], call, site_of) + self.each(items[middle:], call, site_of)

    def _note_success(self) -> None:
        if not self._worked:
            with self._lock:
                self._worked = True
                self._sites.clear()

    def _ours(self, error: BaseException) -> SiteError | MachineError:
        line, place = last_line(error), _place(error)
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NO_ROOM):
            return MachineError(f"{self.what}: {line} ({place}): free memory or disk space, or give the build more")
        fault = type(error).__qualname__, place
        site = _site.get()
        with self._lock:
            new = fault not in self._logged
            self._logged.add(fault)
            alike = 0
            if site is not None and not self._worked:
                sites = self._sites.setdefault(fault, set())
                sites.add(site)
                alike = len(sites)
                if alike >= FIRST_SITES:
                    self._sites.clear()  # a build that is started again counts anew
        if new:
            log.error("%s failed unexpectedly (logged once for all sites)", self.what, exc_info=error)
        if alike >= FIRST_SITES:
            return MachineError(
                f"{self.what} failed in the same way on each of the first {FIRST_SITES} sites: {line} ({place}). The"
                " sites are not to blame: fix the installation, the settings or geoscribe; the log has the traceback"
            )
        return SiteError(self.reason, f"{self.what}: {line} ({place})")


@contextmanager
def reading(path: Path, allowed: str) -> Iterator[None]:
    """Read a local file, and turn an exception that is none of ours into a `ConfigError` that names the file.

    Args:
        path: the file.
        allowed: what it should be, as `whole GeoParquet`.

    Raises:
        ConfigError: it cannot be read, or is damaged inside.
        MachineError: memory is used up.
    """
    try:
        yield
    except _OURS:
        raise
    except BaseException as error:
        if not _is_foreign(error):
            raise
        if isinstance(error, MemoryError):
            raise MachineError(f"{path}: out of memory ({last_line(error)})") from error
        if not isinstance(error, OSError):
            log.debug("%s cannot be read", path, exc_info=error)
        raise ConfigError([Problem(str(path), f"a file that cannot be read ({last_line(error)})", allowed)]) from error


def last_line(error: BaseException) -> str:
    """The last line of a traceback: type and message, in one line without keys, of bounded length."""
    text = redact.clean(" ".join(traceback.format_exception_only(error)[-1:]))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]


def _is_foreign(error: BaseException) -> bool:
    """False for what ends a process on purpose. Extensions written in Rust panic outside of `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _place(error: BaseException) -> str:
    """File and line where an exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


def _as_many(found: Sequence[R], number: int) -> Sequence[R]:
    if len(found) != number:
        raise ValueError(f"{len(found)} results for {number} items")
    return found
