"""A worker's rate limits, which the driver of its build keeps (`pipeline.net.rate_limit_service`)."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from pipeline.errors import MachineError, SiteError
from pipeline.net.base import Provider
from pipeline.net.rate_limit import Slot
from pipeline.net.rate_limit_messages import (
    GREETING_S,
    LONGEST_LINE,
    WELCOME,
    Ask,
    Hold,
    Message,
    Over,
    Reply,
    Seen,
    to_line,
    whom,
)
from pipeline.net.sockets import detect_silence

log = logging.getLogger(__name__)


@dataclass
class _Link:
    """A worker's connection to the service."""

    writer: asyncio.StreamWriter
    waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    listening: asyncio.Task[None] | None = None

    def send(self, message: Message) -> None:
        if not self.writer.is_closing():
            self.writer.write(to_line(message))


@dataclass(frozen=True)
class _RemoteSlot:
    link: _Link
    number: int

    def seen(self, status: int | None, seconds: float) -> None:
        self.link.send(Seen(number=self.number, status=status, seconds=seconds))


class RemoteRateLimiter:
    """Uses the service at an address from `serve_limits`. Used from one event loop.

    Every wait in it may end in a `MachineError`: the driver cannot be reached, or is gone.
    """

    def __init__(self, address: str) -> None:
        place, _, self._token = address.partition("/")
        self._host, _, port = place.rpartition(":")
        self._port = int(port)
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def slot(self, provider: Provider, host: str, key_mark: str | None) -> AsyncIterator[Slot]:
        """See `RateLimiter`."""
        link = await self._linked()
        number = next(link.numbers)
        granted = asyncio.get_running_loop().create_future()
        link.waiting[number] = granted
        link.send(Ask(number=number, key_mark=key_mark, **whom(provider, host)))
        try:
            await granted
            yield _RemoteSlot(link, number)
        finally:
            link.waiting.pop(number, None)
            link.send(Over(number=number))

    async def hold(self, provider: Provider, host: str, seconds: float, *, waited: bool = True) -> None:
        """See `RateLimiter`."""
        link = await self._linked()
        link.send(Hold(seconds=seconds, waited=waited, **whom(provider, host)))

    async def close(self) -> None:
        """See `RateLimiter`."""
        if self._link is not None and self._link.listening is not None:
            self._link.listening.cancel()
            await asyncio.gather(self._link.listening, return_exceptions=True)
            with suppress(OSError):
                await self._link.writer.wait_closed()

    async def _linked(self) -> _Link:
        async with self._connecting:
            if self._link is None:
                self._link = await self._connect()
            link = self._link
        if link.listening is None or link.listening.done():
            raise self._gone()
        return link

    async def _connect(self) -> _Link:
        try:
            async with asyncio.timeout(GREETING_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=LONGEST_LINE)
                writer.write(f"{self._token}\n".encode())
                said = await reader.readline()
        except (TimeoutError, OSError) as error:
            raise MachineError(
                f"the build's driver, which keeps the limits of all workers, cannot be reached at {self._host}:"
                f"{self._port} ({error or 'no answer'}): is it running, and may workers connect to it?"
            ) from error
        if said != WELCOME:
            writer.close()
            raise MachineError(
                f"the driver at {self._host}:{self._port} does not know this worker: its build has ended"
            )
        detect_silence(writer.get_extra_info("socket"))
        link = _Link(writer)
        link.listening = asyncio.create_task(self._listen(reader, link))
        return link

    async def _listen(self, reader: asyncio.StreamReader, link: _Link) -> None:
        try:
            async for line in reader:
                reply = Reply.model_validate_json(line)
                granted = link.waiting.pop(reply.number, None)
                if granted is None or granted.done():
                    continue  # not wanted any more
                if reply.fault is None:
                    granted.set_result(None)
                elif reply.reason is None:
                    granted.set_exception(MachineError(reply.fault))
                else:
                    granted.set_exception(SiteError(reply.reason, reply.fault))
        except (OSError, ValueError) as error:
            log.warning("the connection to the build's driver broke: %s", str(error)[:200])
        finally:
            link.writer.close()
            for granted in link.waiting.values():
                if not granted.done():
                    granted.set_exception(self._gone())
            link.waiting.clear()

    def _gone(self) -> MachineError:
        return MachineError(
            f"the build's driver at {self._host}:{self._port}, which keeps the limits of all workers, is gone: nothing"
            " more is fetched without it. Run the build again; it resumes where it stopped"
        )
