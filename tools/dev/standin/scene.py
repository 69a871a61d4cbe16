"""The data that all responses are made from: photos, towns, addresses, faults, keys."""

import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.world.regions import Home
from tools.dev.standin.fault_rules import Dealer
from tools.dev.standin.faults import Fault, Provider
from tools.dev.standin.library import Library, Shot, flawed


@dataclass(frozen=True)
class Scene:
    """The stand-in's world. Threads may share it."""

    library: Library
    homes: tuple[Home, ...]
    """The made-up towns."""
    dealer: Dealer
    thumbs: "Thumbs"
    api: str
    """Base address of the APIs."""
    pictures: str
    """Base address of the pictures' host."""
    trap: str
    """Base address where nothing may knock: redirects lead there."""
    key: str
    """The key that is accepted."""
    corpus: Path | None

    def told(self, fault: Fault | None, provider: Provider, shots: list[Shot]) -> list[Shot]:
        """Photos as a listing tells of them, with the faults of the listing and of each."""
        if fault is Fault.EMPTY:
            shots = []
        if fault is Fault.OUT_OF_BOX:
            there = set(shots)
            shots = [shot for shot in self.library.shots if shot not in there][:3] + shots
        if fault is Fault.DUPLICATE_IDS:
            shots = shots[:3] + shots
        return [flawed(shot, self.dealer.item(provider, id_at(provider, shot))) for shot in shots]


def id_at(provider: Provider, shot: Shot) -> str:
    """A photo's id at a provider."""
    if provider is Provider.PANORAMAX:
        return shot.uuid
    return shot.kartaview_id if provider is Provider.KARTAVIEW else shot.mapillary_id


class Thumbs:
    """Picture addresses that expire, signed. Threads may share it.

    Args:
        seed: Of the signatures.
        ttl_s: Seconds for which an address is good.
        uses: How often it is; any number if None.
        wall: Seconds since the epoch.
    """

    def __init__(self, seed: int, ttl_s: float, uses: int | None, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._secret = f"standin {seed}".encode()
        self._ttl_s = ttl_s
        self._most = uses
        self._issued = 0
        self._uses: Counter[str] = Counter()
        self._spent: set[str] = set()
        self._lock = threading.Lock()

    def address(self, base: str, photo_id: str, size: str) -> str:
        """A new address for a photo's picture."""
        with self._lock:
            self._issued += 1
            number = self._issued
        until = f"{int((self._wall() + self._ttl_s) * 1000):x}"
        name = f"{photo_id}_{size}.jpg"
        return (
            f"{base}/fbcdn/v/{name}?stp=s{size}&_nc_sid={number}&oe={until}&oh={self._sign(name, str(number), until)}"
        )

    def refusal(self, name: str, query: Mapping[str, str], fault: Fault | None) -> str | None:
        """Why an address does not lead to its picture, if it does not. Counts the use."""
        number, until, sign = (query.get(key, "") for key in ("_nc_sid", "oe", "oh"))
        if not hmac.compare_digest(sign.encode(), self._sign(name, number, until).encode()):
            return "URL signature mismatch"
        with self._lock:
            if fault is Fault.EXPIRED:
                self._spent.add(sign)
            self._uses[sign] += 1
            spent = sign in self._spent or (self._most is not None and self._uses[sign] > self._most)
        return "URL signature expired" if spent or int(until, 16) < self._wall() * 1000 else None

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._secret, " ".join(parts).encode(), hashlib.sha256).hexdigest()[:32]
