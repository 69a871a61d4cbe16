"""A file at an address, read in parts: ranges fetched in blocks, each block once, the last ones kept in memory."""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from pipeline.errors import SiteError
from pipeline.net.base import Request, Response, Session
from schemas.reasons import Reason

BLOCK = 64 * 1024
"""Bytes. The header of most cloud-optimised GeoTIFFs and the root of a PMTiles archive lie in the first."""
_MOST_AT_ONCE = 128
"""Blocks that one request may span."""


@dataclass(frozen=True)
class _Identity:
    """Identity of one version of a file."""

    size: int
    etag: str | None


class RangeFile:
    """A file that a server gives ranges of. Threads may share it; no block is asked for twice at a time."""

    def __init__(self, session: Session, url: str, kept: int = 128, *, size: int | None = None) -> None:
        """Ask nothing yet.

        Args:
            session: What fetches.
            url: The file.
            kept: Blocks kept in memory.
            size: Bytes of the file, where a listing told them: saves asking for the first block.
        """
        self.url = url
        self.name = url.partition("?")[0]  # what follows may be a signature
        self._session = session
        self._kept = kept
        self._lock = threading.Lock()
        self._identity = None if size is None else _Identity(size, None)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._coming: dict[int, Future[bytes]] = {}

    def size(self) -> int:
        """Bytes of the whole file.

        Raises:
            SiteError: as `read`.
        """
        if self._identity is None:
            self._load([0])
        assert self._identity is not None
        return self._identity.size

    def read(self, first: int, length: int) -> bytes:
        """Bytes from `first` on; fewer than `length` at the end of the file.

        Raises:
            SiteError: a reason of the network; BAD_ANSWER where the server gives no ranges, or the file has changed
                since its first part was read.
        """
        return self.read_many([(first, length)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges (first byte, length), fetched at once.

        Raises:
            SiteError: as `read`.
        """
        size = self.size()
        spans = [(min(first, size), min(first + length, size)) for first, length in ranges]
        blocks = self._load(sorted({n for span in spans for n in _numbers(*span)}))
        return [
            b"".join(blocks[n][max(0, start - n * BLOCK) : end - n * BLOCK] for n in _numbers(start, end))
            for start, end in spans
        ]

    def _load(self, wanted: list[int]) -> dict[int, bytes]:
        """Blocks by number: those kept, those that another thread is fetching, and the others, fetched here."""
        found: dict[int, bytes] = {}
        with self._lock:
            for n in wanted:
                if n in self._blocks:
                    self._blocks.move_to_end(n)
                    found[n] = self._blocks[n]
            mine = [n for n in wanted if n not in found and n not in self._coming]
            self._coming.update((n, Future()) for n in mine)
            coming = {n: self._coming[n] for n in wanted if n not in found}
        if mine:
            try:
                self._fetch(mine)
            except BaseException as error:  # or the threads that wait for these blocks would wait for ever
                self._settle(dict.fromkeys(mine, error))
                raise
        return found | {n: block.result() for n, block in coming.items()}

    def _fetch(self, numbers: list[int]) -> None:
        runs = list(_runs(numbers))
        requests = [
            Request(
                self.url,
                first=run.start * BLOCK,
                length=len(run) * BLOCK,
                max_bytes=len(run) * BLOCK,
                cache="validated",
            )
            for run in runs
        ]
        for run, request, answer in zip(runs, requests, self._session.fetch_many(requests), strict=True):
            try:
                blocks = self._cut(run, request, answer)
            except SiteError as error:
                self._settle(dict.fromkeys(run, error))
            else:
                self._settle(blocks)

    def _cut(self, run: range, request: Request, answer: Response | Exception) -> dict[int, bytes]:
        if isinstance(answer, Exception):
            raise answer
        first, length = request.first or 0, request.length or 0
        told = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", answer.headers.get("content-range", ""))
        if answer.status != 206 or told is None:
            raise SiteError(
                Reason.BAD_ANSWER, f"{self.name}: the server gives no ranges of it, or does not say how large it is"
            )
        start, last, size = map(int, told.groups())
        if start != first or last + 1 != min(first + length, size) or len(answer.body) != last + 1 - first:
            found = f"{len(answer.body)} bytes as {told[0]} where bytes {first}-{first + length - 1} were asked for"
            raise SiteError(Reason.BAD_ANSWER, f"{self.name}: {found}")
        identity = _Identity(size, answer.headers.get("etag"))
        with self._lock:
            known = self._identity
            if known is not None and (known.size != size or known.etag not in {None, identity.etag}):
                raise SiteError(Reason.BAD_ANSWER, f"{self.name}: it changed while it was read")
            self._identity = identity
        return {n: answer.body[(n - run.start) * BLOCK :][:BLOCK] for n in run}

    def _settle(self, outcomes: Mapping[int, bytes | BaseException]) -> None:
        """Hand blocks, or why there are none, to all who wait for them."""
        with self._lock:
            for n, outcome in outcomes.items():
                waiting = self._coming.pop(n, None)
                if waiting is None:
                    continue
                if isinstance(outcome, bytes):
                    self._blocks[n] = outcome
                    waiting.set_result(outcome)
                else:
                    waiting.set_exception(outcome)
            while len(self._blocks) > self._kept:
                self._blocks.popitem(last=False)


def _numbers(start: int, end: int) -> range:
    """Blocks that hold the bytes from start to before end."""
    return range(start // BLOCK, -(-end // BLOCK)) if end > start else range(0)


def _runs(numbers: list[int]) -> Iterator[range]:
    """Sorted numbers as runs without gaps."""
    start = 0
    for i in range(1, len(numbers) + 1):
        if i == len(numbers) or numbers[i] != numbers[i - 1] + 1 or i - start == _MOST_AT_ONCE:
            yield range(numbers[start], numbers[i - 1] + 1)
            start = i
