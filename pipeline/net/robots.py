"""robots.txt and X-Robots-Tag, for hosts without a documented API."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from protego import Protego

from pipeline.errors import SiteError
from pipeline.net.base import Verdict
from pipeline.net.status import OK, by_status
from schemas.reasons import Reason

AGENT = "geoscribe"
LONGEST = 512_000
"""Maximum size of a robots.txt that is read, in bytes (RFC 9309, 2.5)."""
_KEPT_S = 86_400.0
"""How long a robots.txt is reused, in seconds (RFC 9309, 2.4)."""
_NO_PICTURES = frozenset({"noai", "noimageai"})


@dataclass
class _Rules:
    parsed: Protego
    read_at: float
    next_turn: float = 0.0


class Robots:
    """The robots.txt of each host, read once a day. It lives in one event loop.

    Args:
        max_wait_s: A host that asks for a longer pause between two requests is not asked.
        clock: Seconds that never go back; the event loop must count them alike.
    """

    def __init__(self, max_wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._rules: dict[str, _Rules] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def permit(self, origin: str, url: str, read: Callable[[], Awaitable[str]]) -> None:
        """Return when the URL may be requested: at once, or after the delay that Crawl-delay asks for.

        Args:
            origin: `https://host`.
            url: Without the key.
            read: Fetches the host's robots.txt; empty where there is none.

        Raises:
            SiteError: REFUSED; or what `read` raises: a file that cannot be had forbids all (RFC 9309, 2.3.1.4).
        """
        async with self._reading.setdefault(origin, asyncio.Lock()):
            rules = self._rules.get(origin)
            if rules is None or self._clock() - rules.read_at > _KEPT_S:
                rules = self._rules[origin] = _Rules(Protego.parse(await read()), self._clock())
        if not rules.parsed.can_fetch(url, AGENT):
            raise SiteError(Reason.REFUSED, f"{origin}/robots.txt does not allow it")
        delay = rules.parsed.crawl_delay(AGENT) or 0.0
        if delay > self._max_wait_s:
            raise SiteError(Reason.REFUSED, f"{origin}/robots.txt asks for {delay:g} s between two requests")
        now = self._clock()
        turn = max(rules.next_turn, now)
        rules.next_turn = turn + delay
        if turn > now:
            await asyncio.sleep(turn - now)


def robots_verdict(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """The verdict on a response to a request for robots.txt. Any 4xx means that all is allowed."""
    verdict = by_status(status, headers, body)
    return OK if 400 <= status < 500 and verdict.kind == "final" else verdict


def forbids_pictures(header: str) -> bool:
    """Whether an X-Robots-Tag forbids training on pictures: `noai` or `noimageai`, for everyone or for us."""
    for part in header.lower().split(","):
        agent, named, rule = part.rpartition(":")
        if rule.strip() in _NO_PICTURES and (not named or agent.strip() == AGENT):
            return True
    return False
