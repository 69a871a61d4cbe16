"""One request to one model server, and what came back."""

import json
import time

import aiohttp

from pipeline.captioning.dialogue.model_responses import BrokenError, BusyError, SetUpError, read_answer
from pipeline.captioning.dialogue.objections import said
from pipeline.captioning.dialogue.requests import LimitName, Reply, Request
from pipeline.net.status import retry_after

MOST_BYTES = 8 * 2**20
"""Limit for a response. A reply of 8,192 tokens is far below."""


async def send(
    session: aiohttp.ClientSession, url: str, request: Request, held: frozenset[str] | None, limit: LimitName
) -> Reply:
    """The reply to a request.

    Args:
        session: with the key.
        url: of the server.
        request: what to ask.
        held: see `Request.body`.
        limit: see `Request.body`.

    Raises:
        aiohttp.ClientError, TimeoutError, OSError: the connection broke, or no answer came in time.
        Else as `read_answer` does.
    """
    data = json.dumps(request.body(held, limit)).encode()
    started = time.monotonic()
    async with session.post(
        f"{url}/chat/completions",
        data=data,
        headers={"Content-Type": "application/json"},
        allow_redirects=False,
    ) as answer:
        body = await read_capped(answer)
    latency_s = round(time.monotonic() - started, 3)
    if 300 <= answer.status < 400:
        to = said(answer.headers.get("Location", "nowhere"))
        raise SetUpError(
            f"{url} sends elsewhere (HTTP {answer.status}, to {to}): give endpoints in the build file that address"
        )
    try:
        return read_answer(answer.status, body, latency_s, url, request.name, limit=limit)
    except BusyError as error:
        error.after_s = retry_after({name.lower(): value for name, value in answer.headers.items()})
        raise


async def read_capped(answer: aiohttp.ClientResponse) -> bytes:
    """The body of an answer.

    Raises:
        aiohttp.ClientPayloadError: it is larger than any answer may be.
    """
    body = bytearray()
    async for chunk in answer.content.iter_chunked(2**16):
        body += chunk
        if len(body) > MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"an answer of more than {MOST_BYTES} bytes")
    return bytes(body)


def described(error: Exception) -> str:
    """A fault of a server, in its words, or of a connection; one line."""
    words = said(str(error))
    if isinstance(error, BrokenError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
