"""Shared rate limits: the driver of a build serves them to all worker processes (`pipeline.net.remote_rate_limit`).

Slots belong to a worker's connection: when the worker dies, its slots are free at once. A worker that loses the driver
stops, because it no longer knows what the others do.
"""

import asyncio
import hmac
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import MachineError, SiteError
from pipeline.net.rate_limit import LocalRateLimiter, RateLimiter, Slot
from pipeline.net.rate_limit_messages import (
    FROM_WORKER,
    GREETING_S,
    LONGEST_LINE,
    WELCOME,
    Ask,
    FromWorker,
    Hold,
    Reply,
    Seen,
    to_line,
)
from pipeline.net.sockets import detect_silence, own_address

log = logging.getLogger(__name__)


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
                writer.write(WELCOME)
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
                    message = FROM_WORKER.validate_json(line)
                except ValidationError as error:
                    raise ValueError(f"{error.error_count()} faults in a message") from None
                await self._do(message)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _do(self, message: FromWorker) -> None:
        if isinstance(message, Ask):
            if message.number in self._tasks:
                raise ValueError("a request with the number of another")
            task = self._tasks[message.number] = asyncio.create_task(self._keep(message))
            task.add_done_callback(lambda _: self._tasks.pop(message.number))
        elif isinstance(message, Hold):
            await self._limiter.hold(message.to_provider(), message.host, message.seconds, waited=message.waited)
        elif isinstance(message, Seen):
            if message.number in self._slots:
                self._slots[message.number].seen(message.status, message.seconds)
        elif message.number in self._tasks:
            self._tasks[message.number].cancel()

    async def _keep(self, ask: Ask) -> None:
        """Hold a slot from when it is free until this is cancelled."""
        try:
            async with self._limiter.slot(ask.to_provider(), ask.host, ask.key_mark) as slot:
                self._slots[ask.number] = slot
                self._reply(Reply(number=ask.number))
                await asyncio.get_running_loop().create_future()
        except SiteError as fault:
            self._reply(Reply(number=ask.number, reason=fault.reason, fault=fault.detail))
        except MachineError as fault:
            self._reply(Reply(number=ask.number, fault=str(fault)))
        finally:
            self._slots.pop(ask.number, None)

    def _reply(self, reply: Reply) -> None:
        self._writer.write(to_line(reply))
