"""Makes the responses of each fault."""

import asyncio
import gzip
import io
import json
import math
import socket
import struct
import time
import zlib
from dataclasses import replace
from email.utils import formatdate
from functools import cache

import numpy as np
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from pipeline.digest import digest
from tools.dev.standin import mapillary, overpass, panoramax_search
from tools.dev.standin.faults import Fault, Provider
from tools.dev.standin.web import HTML, Ask, Reply

ABSURD_WAIT_S = 10**9
BOMB_BYTES = 96 * 2**20
BOMB_SIDE_PX = 20_000
_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head>"
    b"<body><h1>Please accept the terms of this network</h1></body></html>\n"
)
_STATUSES = {
    Fault.SERVER_ERROR: 500,
    Fault.BAD_GATEWAY: 502,
    Fault.UNAVAILABLE: 503,
    Fault.GATEWAY_TIMEOUT: 504,
    Fault.BAD_REQUEST: 400,
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.NOT_FOUND: 404,
    Fault.GONE: 410,
}
_GRAPH = {
    Fault.GRAPH_190: (500, 190, "Invalid OAuth 2.0 Access Token"),
    Fault.GRAPH_4: (500, 4, "Application request limit reached"),
    Fault.GRAPH_17: (500, 17, "User request limit reached"),
    Fault.GRAPH_613: (500, 613, "Calls to this api have exceeded the rate limit."),
    Fault.GRAPH_100: (400, 100, "Invalid parameter"),
    Fault.TOO_MUCH_DATA: (500, 1, "Please reduce the amount of data you're asking for, then retry your request"),
}

_TARGETS = {
    Fault.REDIRECT_HOST: "http://elsewhere.invalid/",
    Fault.REDIRECT_LOOPBACK: "{trap}/internal",
    Fault.REDIRECT_METADATA: "http://169.254.169.254/latest/meta-data/",
    Fault.REDIRECT_LOOP: "{itself}",
}
_TOO_MANY = {Fault.RETRY_SECONDS, Fault.RETRY_DATE, Fault.RETRY_ABSENT, Fault.RETRY_ABSURD}


def instead(ask: Ask, provider: Provider) -> Reply | None:
    """The answer that a fault gives in place of the right one, if it does."""
    fault = ask.fault
    if fault is None:
        return None
    reply: Reply | None = None
    if fault in _GRAPH:
        reply = mapillary.graph_error(*_GRAPH[fault])
    elif fault in _STATUSES:
        reply = _plain(provider, _STATUSES[fault], page=fault in {Fault.BAD_GATEWAY, Fault.GATEWAY_TIMEOUT})
    elif fault in _TARGETS:
        target = _TARGETS[fault].format(trap=ask.scene.trap, itself=ask.path_and_query)
        reply = Reply(b"", "text/plain", 302, {"Location": target})
    elif fault in _TOO_MANY:
        reply = too_many(provider, fault)
    elif fault is Fault.NO_CONTENT:
        reply = Reply(b"", "text/plain", 204)
    elif fault is Fault.IMAGE_BOMB:
        reply = Reply(image_bomb(), "image/png")
    return reply


def spoilt(reply: Reply, fault: Fault | None, identity: str) -> Reply:
    """The right answer with a fault in its body; unchanged where the fault is of another sort."""
    if reply.status != 200:
        return reply
    if fault is Fault.HTML:
        return replace(reply, body=_PAGE, max_age_s=None)
    if fault is Fault.UNDECODABLE:
        return replace(reply, body=reply.body[:20] + _noise(identity, len(reply.body) - 20))
    if fault is Fault.GZIP_BOMB:
        return replace(reply, body=gzip_bomb(), headers={"Content-Encoding": "gzip"}, max_age_s=None)
    return reply


def too_many(provider: Provider, fault: Fault = Fault.RETRY_SECONDS) -> Reply:
    """429, and how long to wait."""
    waits = {
        Fault.RETRY_SECONDS: "1",
        # Dates have whole seconds: the one after the next is at least a second away.
        Fault.RETRY_DATE: formatdate(math.floor(time.time()) + 2, usegmt=True),
        Fault.RETRY_ABSURD: str(ABSURD_WAIT_S),
    }
    reply = _plain(provider, 429, page=provider is Provider.OVERPASS)
    return replace(reply, headers={"Retry-After": waits[fault]} if fault in waits else {})


async def send(
    request: web.Request, reply: Reply, fault: Fault | None, slow_s: float
) -> tuple[web.StreamResponse, int]:
    """Send an answer, as badly as the fault wants it.

    Returns:
        The response, for aiohttp to finish, and the status that is sent; 0 for none.
    """
    if fault is Fault.RESET:
        _reset(request)
        return web.Response(), 0
    if fault is Fault.STALL:
        await _pause(request, slow_s)
        _close(request)
        return web.Response(), 0
    headers = {"Content-Type": reply.content_type, **reply.headers}
    status, body = reply.status, reply.body
    if reply.max_age_s is not None and status == 200:
        headers |= {"ETag": reply.etag, "Cache-Control": f"public, max-age={reply.max_age_s}"}
        if reply.etag in request.headers.get("If-None-Match", ""):
            status, body = 304, b""
    if status != 200 or fault not in {Fault.TRUNCATED, Fault.SLOW_LORIS}:
        # aiohttp sends it when the handler is done: so nobody has an answer that is not in the log yet.
        return web.Response(status=status, headers=headers, body=body), status
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    try:
        await response.prepare(request)
        await _broken(response, body, slow_s if fault is Fault.SLOW_LORIS else 0.0)
    except ClientConnectionResetError:
        pass  # the client had enough
    _close(request)
    return response, status


@cache
def gzip_bomb() -> bytes:
    """Zeros, gzipped."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for _ in range(BOMB_BYTES // 2**20):
            file.write(bytes(2**20))
    return packed.getvalue()


@cache
def image_bomb() -> bytes:
    """A black PNG of one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + BOMB_SIDE_PX // 8)
    rows = b"".join(packer.compress(row * 1_000) for _ in range(BOMB_SIDE_PX // 1_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE_PX, BOMB_SIDE_PX, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _plain(provider: Provider, status: int, *, page: bool) -> Reply:
    """An error as the provider words it."""
    if page:
        return Reply(f"<html><head><title>{status}</title></head><body>nginx</body></html>".encode(), HTML, status)
    if provider is Provider.PANORAMAX:
        return panoramax_search.error(f"stand-in: status {status}", status)
    if provider is Provider.OVERPASS:
        return overpass.error(f"stand-in: status {status}", status)
    if provider in {Provider.MAPILLARY, Provider.KARTAVIEW}:
        return Reply(json.dumps({"message": f"stand-in: status {status}"}).encode(), "application/json", status)
    return Reply(f"stand-in: status {status}\n".encode(), "text/plain", status)


def _noise(identity: str, length: int) -> bytes:
    """Bytes that no JPEG decoder takes for data: there is no marker in them."""
    draws = np.random.Generator(np.random.Philox(key=int(digest("noise", identity, length=32), 16)))
    return draws.integers(0, 0xFF, max(length, 1), np.uint8).tobytes()


async def _broken(response: web.StreamResponse, body: bytes, slow_s: float) -> None:
    """Half of a body, at once or a byte at a time, then nothing."""
    if slow_s:
        steps = max(2, min(len(body) - 1, int(slow_s / 0.05)))
        for n in range(steps):
            await response.write(body[n : n + 1])
            await asyncio.sleep(slow_s / steps)
    else:
        await response.write(body[: len(body) // 2])


async def _pause(request: web.Request, seconds: float) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while request.transport is not None and clock() < until:
        await asyncio.sleep(min(0.05, seconds))


def _reset(request: web.Request) -> None:
    """Close with a RST: a lingering time of zero makes the kernel throw away what was to be sent."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
