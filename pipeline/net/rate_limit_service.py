"""Shared rate limits: the driver of a build serves them to all worker processes.

The protocol is lines of JSON over TCP, one connection per worker. Slots belong to the connection: when a worker dies,
its slots are free at once. A worker that loses the driver stops, because it no longer knows what the others do.
"""

import asyncio
import hmac
import itertools
import logging
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.errors import MachineError, SiteError
from pipeline.net.base import Provider
from pipeline.net.rate_limit import LocalRateLimiter, RateLimiter, Slot
from pipeline.net.sockets import detect_silence, own_address
from schemas.reasons import Reason

LONGEST_LINE = 16_384
GREETING_S = 10.0
"""Timeout for the token, and for the reply to it, in seconds."""
_WELCOME = b"welcome\n"

log = logging.getLogger(__name__)


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Whom(_Message):
    """A host of a provider."""

    provider: str
    per_s: Annotated[float, Field(gt=0)]
    at_once: Annotated[int, Field(ge=1)]
    per_day: Annotated[int, Field(ge=1)] | None
    host: str

    def to_provider(self) -> Provider:
        return Provider(self.provider, (), self.per_s, self.at_once, self.per_day)


class _Ask(_Whom):
    """Message: request a slot. `number` is new on this connection."""

    op: Literal["ask"] = "ask"
    number: int
    key_mark: str | None


class _Hold(_Whom):
    op: Literal["hold"] = "hold"
    seconds: Annotated[float, Field(ge=0)]
    waited: bool


class _Seen(_Message):
    op: Literal["seen"] = "seen"
    number: int
    status: int | None
    seconds: Annotated[float, Field(ge=0)]


class _Over(_Message):
    """Message: the request is over, or no longer wanted."""

    op: Literal["over"] = "over"
    number: int


class _Reply(_Message):
    """Message: the slot is granted, or what `RateLimiter.slot` raised."""

    number: int
    reason: Reason | None = None
    fault: str | None = None


_FROM_WORKER: TypeAdapter[_Ask | _Hold | _Seen | _Over] = TypeAdapter(
    Annotated[_Ask | _Hold | _Seen | _Over, Field(discriminator="op")]
)


@contextmanager
def serve_limits(folder: Path | None = None, near: str = "127.0.0.1") -> Iterator[str]:
    """Serve the limits from a thread of this process while the context lasts.

    Args:
        folder: Where the day's requests are counted; see `LocalRateLimiter`.
        near: A host that workers are near, as the scheduler of their cluster: the service binds the address from
            which this machine reaches it. Loopback for workers on this machine.

    Yields:
        What workers make a `RemoteRateLimiter` of. It holds a secret: to be given to workers and to nobody else.

    Raises:
        MachineError: no address of this machine reaches `near`.
    """
    host = own_address(near)
    try:
        listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise MachineError(f"the rate limits of the build cannot be served at {host}: {error}") from error
    token = secrets.token_hex(16)
    service = _Service(LocalRateLimiter(folder), token)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def serve() -> None:
        loop.run_until_complete(service.run(listening, stop))
        loop.close()

    thread = threading.Thread(target=serve, name="geoscribe-limits", daemon=True)
    thread.start()
    try:
        yield f"{host}:{listening.getsockname()[1]}/{token}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


class _Service:
    def __init__(self, limiter: RateLimiter, token: str) -> None:
        self._limiter = limiter
        self._token = token.encode()
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until stopped."""
        async with await asyncio.start_server(self._connected, sock=listening, limit=LONGEST_LINE):
            await stop.wait()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
        await self._limiter.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            detect_silence(writer.get_extra_info("socket"))
            async with asyncio.timeout(GREETING_S):
                said = await reader.readline()
            if hmac.compare_digest(said.strip(), self._token):
                writer.write(_WELCOME)
                await _Worker(self._limiter, writer).serve(reader)
            else:
                log.warning("refused a connection to the limits of the build: wrong token")
        except (TimeoutError, ValueError, OSError) as error:  # ValueError: a line too long, or no message
            log.warning("a connection to the limits of the build ended: %s", str(error)[:200] or type(error).__name__)
        finally:
            self._connections.discard(task)
            writer.close()


class _Worker:
    """The state of one worker."""

    def __init__(self, limiter: RateLimiter, writer: asyncio.StreamWriter) -> None:
        self._limiter = limiter
        self._writer = writer
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """One per waiting or running request. Cancelling it releases its slot."""
        self._slots: dict[int, Slot] = {}

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Process the messages of the worker.

        Raises:
            ValueError: one is too long, or says nothing that makes sense.
        """
        try:
            async for line in reader:
                try:
                    message = _FROM_WORKER.validate_json(line)
                except ValidationError as error:
                    raise ValueError(f"{error.error_count()} faults in a message") from None
                await self._do(message)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _do(self, message: _Ask | _Hold | _Seen | _Over) -> None:
        if isinstance(message, _Ask):
            if message.number in self._tasks:
                raise ValueError("a request with the number of another")
            task = self._tasks[message.number] = asyncio.create_task(self._keep(message))
            task.add_done_callback(lambda _: self._tasks.pop(message.number))
        elif isinstance(message, _Hold):
            await self._limiter.hold(message.to_provider(), message.host, message.seconds, waited=message.waited)
        elif isinstance(message, _Seen):
            if message.number in self._slots:
                self._slots[message.number].seen(message.status, message.seconds)
        elif message.number in self._tasks:
            self._tasks[message.number].cancel()

    async def _keep(self, ask: _Ask) -> None:
        """Hold a slot from when it is free until this is cancelled."""
        try:
            async with self._limiter.slot(ask.to_provider(), ask.host, ask.key_mark) as slot:
                self._slots[ask.number] = slot
                self._reply(_Reply(number=ask.number))
                await asyncio.get_running_loop().create_future()
        except SiteError as fault:
            self._reply(_Reply(number=ask.number, reason=fault.reason, fault=fault.detail))
        except MachineError as fault:
            self._reply(_Reply(number=ask.number, fault=str(fault)))
        finally:
            self._slots.pop(ask.number, None)

    def _reply(self, reply: _Reply) -> None:
        self._writer.write(_line(reply))


@dataclass
class _Link:
    """A worker's connection to the service."""

    writer: asyncio.StreamWriter
    waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    listening: asyncio.Task[None] | None = None

    def send(self, message: _Message) -> None:
        if not self.writer.is_closing():
            self.writer.write(_line(message))


@dataclass(frozen=True)
class _RemoteSlot:
    link: _Link
    number: int

    def seen(self, status: int | None, seconds: float) -> None:
        self.link.send(_Seen(number=self.number, status=status, seconds=seconds))


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
        link.send(_Ask(number=number, key_mark=key_mark, **_whom(provider, host)))
        try:
            await granted
            yield _RemoteSlot(link, number)
        finally:
            link.waiting.pop(number, None)
            link.send(_Over(number=number))

    async def hold(self, provider: Provider, host: str, seconds: float, *, waited: bool = True) -> None:
        """See `RateLimiter`."""
        link = await self._linked()
        link.send(_Hold(seconds=seconds, waited=waited, **_whom(provider, host)))

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
        if said != _WELCOME:
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
                reply = _Reply.model_validate_json(line)
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


def _whom(provider: Provider, host: str) -> dict[str, str | float | int | None]:
    return {
        "provider": provider.name,
        "per_s": provider.per_s,
        "at_once": provider.at_once,
        "per_day": provider.per_day,
        "host": host,
    }


def _line(message: _Message) -> bytes:
    return message.model_dump_json().encode() + b"\n"
