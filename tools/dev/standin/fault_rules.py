"""Decides which request meets which fault: by the rules of a plan, and by a share of all requests.

Nothing depends on the order of the requests: a fault is drawn from the seed and from what is asked for, and from
how often that was asked for before.
"""

import threading
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from pydantic import Field, ValidationError, model_validator

from pipeline.config.base import Section, Share
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from tools.dev.standin.faults import FAULTS, Fault, Kind, Part, Provider, dealt

MOST_TRIES = 2
"""A transient fault that a share deals holds for one try of a request, or for so many."""


class Limit(Section):
    """How much one client may ask of a provider; beyond this it gets 429."""

    per_s: Annotated[float, Field(gt=0)]
    burst: Annotated[float, Field(ge=1)]
    """Requests that it may make at once after a rest."""
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Requests under way."""


LIMITS = {
    Provider.MAPILLARY: Limit(per_s=10_000 / 60, burst=1_000),
    Provider.OVERPASS: Limit(per_s=5, burst=20, at_once=2),
}
"""Mapillary: searches (documented: 10,000 a minute). Overpass: two slots an address (documented); rate (unchecked)."""


class Match(Section):
    """Which requests a rule is for; what is left out matches any."""

    provider: Provider | None = None
    part: Part | None = None
    path: str | None = None
    """Glob on the path of the request; on the provider's id of the photo for faults of items."""
    tries: list[Annotated[int, Field(ge=1)]] | None = None
    """Which tries of the same request; all if left out."""
    share: Share = 1.0
    """Share of the requests that match otherwise, drawn by what they ask for."""


class Rule(Section):
    """Lets requests meet a fault."""

    match: Match = Match()
    fault: Fault

    @model_validator(mode="after")
    def _possible(self) -> "Rule":
        about, match = FAULTS[self.fault], self.match
        if match.part is not None and match.part not in about.parts:
            raise ValueError(f"{self.fault} occurs in: {', '.join(sorted(about.parts))}")
        if match.provider is not None and match.provider not in about.providers:
            raise ValueError(f"{self.fault} is of: {', '.join(sorted(about.providers))}")
        return self


class Plan(Section):
    """A plan of faults. The first rule that matches a request counts; without one, the share."""

    rules: list[Rule] = []  # noqa: RUF012 - pydantic copies defaults
    share: Share = 0.0
    """Share of all requests, and of all photos in responses."""
    slow_s: Annotated[float, Field(gt=0, le=600)] = 3.0
    """How long a slow or silent answer takes."""
    thumb_ttl_s: Annotated[float, Field(gt=0)] = 3_600.0
    """How long a Mapillary picture address holds (unchecked)."""
    thumb_uses: Annotated[int, Field(ge=1)] | None = None
    """How often it holds; any number if left out."""
    limits: dict[Provider, Limit] = LIMITS
    """In place of the documented ones, for all providers."""


def read_plan(path: Path) -> Plan:
    """A plan from a YAML file.

    Raises:
        ConfigError: it cannot be read, or is no plan.
    """
    try:
        return Plan.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([Problem(str(path), str(error), "a readable YAML file")]) from error
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise ConfigError(
            [Problem(f"{path}: {'.'.join(map(str, f['loc']))}", str(f["input"])[:80], f["msg"]) for f in faults]
        ) from error


class Dealer:
    """Deals the faults of a plan. Threads may share it."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self._seed = seed
        self._tries: Counter[str] = Counter()
        self._lock = threading.Lock()

    def request(self, provider: Provider, part: Part, path: str, identity: str) -> tuple[Fault | None, int]:
        """The fault of a request, if it has one, and which try of it this is (from 1).

        Args:
            provider: Whom it asks.
            part: What for.
            path: Path of its address.
            identity: What it asks for, without what changes from try to try.
        """
        with self._lock:
            self._tries[identity] += 1
            number = self._tries[identity]
        return self._deal(provider, part, path, identity, number), number

    def item(self, provider: Provider, photo_id: str) -> Fault | None:
        """The fault of an item, always the same for a photo."""
        return self._deal(provider, Part.ITEM, photo_id, f"{provider}/{photo_id}", 1)

    def _deal(self, provider: Provider, part: Part, path: str, identity: str, number: int) -> Fault | None:
        for index, rule in enumerate(self.plan.rules):
            match = rule.match
            if (
                FAULTS[rule.fault].fits(provider, part)
                and match.provider in {None, provider}
                and match.part in {None, part}
                and (match.path is None or fnmatchcase(path, match.path))
                and (match.tries is None or number in match.tries)
                and self._draw("rule", index, identity) < match.share
            ):
                return rule.fault
        known = dealt(provider, part)
        if not known or self._draw("share", part, identity) >= self.plan.share:
            return None
        fault = known[int(self._draw("which", part, identity) * len(known))]
        if FAULTS[fault].kind is not Kind.TRANSIENT:
            return fault
        lasting = 1 if self._draw("tries", part, identity) < 0.75 else MOST_TRIES
        return fault if number <= lasting else None

    def _draw(self, *key: str | int) -> float:
        """A number from 0 to 1 for a key."""
        return float(np.random.Generator(np.random.Philox(key=int(digest(self._seed, *key, length=32), 16))).random())
