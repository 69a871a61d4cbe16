"""Sends one request within time and size limits. Neither follows redirects nor retries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from pipeline.config.network import Network
from pipeline.errors import SiteError
from pipeline.net.addresses import PublicResolver
from pipeline.net.base import Verdict
from schemas.reasons import Reason

LONGEST_ERROR_BODY = 65_536
"""Maximum bytes of an error response that are read."""
_FREE_BYTES = 1_000_000
_MOST_RATIO = 200
"""Maximum ratio of unpacked to packed size beyond the first megabyte. JSON reaches 10 to 50; more is a bomb."""
_CODINGS = ("gzip", "deflate")


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; values of one name joined by commas."""
    body: bytes


class Failed(Exception):  # noqa: N818 - never leaves the client
    """The request got no response that could be interpreted."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.detail)
        self.verdict = verdict


class Transport:
    """A connection pool. It lives in one event loop.

    Proxies from the environment (HTTPS_PROXY) are ignored on purpose: a proxy resolves names itself, which would bypass
    the check of addresses. A machine that reaches the network through a proxy only needs a route instead.
    """

    def __init__(self, network: Network, user_agent: str, resolver: AbstractResolver | None = None) -> None:
        self._network = network
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the client counts requests itself, so that waiting for one is no part of a time-out
                resolver=PublicResolver(resolver),
                ttl_dns_cache=60,
            ),
            headers={"User-Agent": user_agent, "Accept": "*/*"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=False,
            max_line_size=8_190,
            max_field_size=8_190,
            max_headers=128,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, max_bytes: int, within_s: float
    ) -> Reply:
        """Send a request and read the whole response.

        Args:
            method: GET or POST.
            url: The URL, already checked.
            headers: Headers beside those that all requests have.
            body: Body of a POST.
            max_bytes: Maximum size of the decompressed body.
            within_s: Seconds from connecting to the last byte.

        Raises:
            Failed: there was no response, or it was too large or not HTTP.
        """
        network = self._network
        timeout = aiohttp.ClientTimeout(
            total=within_s,
            connect=network.connect_timeout_s,
            sock_read=network.read_timeout_s,
            ceil_threshold=3_600,  # exact time-outs: one timer a request is nothing
        )
        coding = "identity" if "Range" in headers else ", ".join(_CODINGS)
        try:
            async with self._http.request(
                method,
                url,
                data=body,
                headers={"Accept-Encoding": coding, **headers},
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                got = {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}
                return Reply(response.status, got, await _read(response, max_bytes, "Range" in headers))
        except SiteError as unsafe:  # from the resolver
            raise Failed(Verdict("final", unsafe.reason, unsafe.detail)) from None
        except aiohttp.ConnectionTimeoutError:
            raise _again(f"no connection within {network.connect_timeout_s:g} s") from None
        except aiohttp.SocketTimeoutError:
            raise _again(f"nothing came for {network.read_timeout_s:g} s") from None
        except TimeoutError:
            raise _again(f"no whole answer within {network.total_timeout_s:g} s") from None
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as fault:
            raise Failed(Verdict("final", Reason.UNREACHABLE, f"the TLS connection failed: {_told(fault)}")) from None
        except aiohttp.InvalidURL:
            raise Failed(Verdict("final", Reason.UNSAFE_ADDRESS, "an invalid URL")) from None
        except aiohttp.ClientConnectorDNSError as fault:
            raise _again(f"the host name could not be resolved: {_told(fault)}") from None
        except aiohttp.ClientPayloadError as fault:
            if isinstance(fault.__cause__, ContentEncodingError):
                raise _again("a response that cannot be decompressed", Reason.BAD_ANSWER) from None
            raise _again("the response was cut off") from None
        except aiohttp.ClientResponseError as fault:
            raise _again(f"an answer that is not HTTP: {_told(fault)}", Reason.BAD_ANSWER) from None
        except (aiohttp.ClientError, OSError) as fault:
            raise _again(f"the connection failed: {_told(fault)}") from None


async def _read(response: aiohttp.ClientResponse, max_bytes: int, wants_range: bool) -> bytes:
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding not in {"identity", *_CODINGS}:
        raise Failed(
            Verdict("final", Reason.BAD_ANSWER, f"a response with the encoding {coding}, which was not requested")
        )
    kind: Literal["whole", "range", "error"] = "whole"
    if response.status >= 300:
        kind, max_bytes = "error", LONGEST_ERROR_BODY
    elif wants_range:
        kind = "range"
        if response.status == 200:
            raise Failed(Verdict("final", Reason.BAD_ANSWER, "the whole file instead of the requested range"))
    length = response.content_length
    if coding == "identity" and length is not None and length <= max_bytes:
        return await response.read()  # no longer than it says: what follows is no part of it
    if coding == "identity" and length is not None and kind != "error":
        raise _too_large(f"{length} bytes; at most {max_bytes} are accepted")
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        chunks.append(chunk)
        if size > max_bytes:
            if kind == "error":
                break
            raise _too_large(f"more than {max_bytes} bytes")
        if size > _FREE_BYTES and size > _MOST_RATIO * response.content.total_raw_bytes:
            raise _too_large(f"a response that grows more than {_MOST_RATIO} times when decompressed")
    return b"".join(chunks)


def _too_large(what: str) -> Failed:
    return Failed(Verdict("final", Reason.ANSWER_TOO_LARGE, what))


def _again(what: str, reason: Reason = Reason.UNREACHABLE) -> Failed:
    return Failed(Verdict("again", reason, what))


def _told(fault: BaseException) -> str:
    """The text of an exception without its URL, which may hold a key."""
    if isinstance(fault, aiohttp.ClientResponseError):
        return fault.message or type(fault).__name__
    if isinstance(fault, aiohttp.ClientConnectorError):
        fault = fault.os_error
    return str(fault) or type(fault).__name__
