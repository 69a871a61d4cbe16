"""Responses from the cache, or from the network. Equal concurrent requests are sent once."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.net import redact
from pipeline.net.base import Response
from pipeline.net.cache import ResponseCache
from pipeline.net.hops import Asked
from pipeline.net.retrying_client import RetryingClient
from pipeline.net.single_flight import SingleFlight

_THREADS = 4
"""Threads that read and write the cache, so that the event loop never waits for the disk."""


class CachedClient:
    """The client with its cache. It lives in one event loop.

    Args:
        client: Sends requests that the cache does not answer.
        cache: The cache; None for no cache.
    """

    def __init__(self, client: RetryingClient, cache: ResponseCache | None) -> None:
        self._client = client
        self._cache = cache
        self._flights: SingleFlight[Response] = SingleFlight()
        self._disk = ThreadPoolExecutor(_THREADS, "geoscribe-cache")

    async def fetch(self, asked: Asked) -> Response:
        """The response, from the cache or the network.

        Raises what `RetryingClient.ask` raises, and MachineError where the cache cannot be used.
        """
        if asked.request.cache == "never":
            return await self._client.ask(asked)
        key = _key(asked)
        return await self._flights.join(key, lambda: self._fetch(key, asked))

    async def _fetch(self, key: str, asked: Asked) -> Response:
        if self._cache is None:
            return await self._client.ask(asked)
        loop, cache = asyncio.get_running_loop(), self._cache
        stored = await loop.run_in_executor(self._disk, cache.get, key)
        if stored is not None:
            kept = replace(stored.answer, url=asked.request.url)
            if stored.fresh:
                return kept
            pairs = {"If-None-Match": stored.etag, "If-Modified-Since": stored.last_modified}
            asked = replace(asked, validators={name: value for name, value in pairs.items() if value})
        answer = await self._client.ask(asked)
        if stored is not None and answer.status == 304:
            await loop.run_in_executor(self._disk, cache.refreshed, key, answer.headers)
            return kept
        await loop.run_in_executor(self._disk, self._keep, cache, key, asked, answer)
        return answer

    def _keep(self, cache: ResponseCache, key: str, asked: Asked, answer: Response) -> None:
        told_key = asked.provider.key is not None and asked.request.send_key
        if not (told_key and redact.holds_secret(answer.body)):  # some repeat the key, in a link to the next page
            cache.put(key, answer, immutable=asked.request.cache == "immutable")

    def close(self) -> None:
        """Close the cache. No request may be in progress."""
        self._disk.shutdown()
        if self._cache is not None:
            self._cache.close()


def _key(asked: Asked) -> str:
    """The identity of a request. It includes the origin, so a stand-in's pictures are never taken for real ones."""
    provider, request = asked.provider, asked.request
    if request.cache_key is not None:
        what: list[object] = [provider.origins, request.cache_key]
    else:
        body = request.body.hex() if request.body else None
        what = [request.method, request.url, request.params, body, request.content_type, request.accept]
    return json.dumps([provider.name, *what, request.first, request.length])
