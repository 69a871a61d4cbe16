"""Base sections of sources: addresses, names of keys, rate limits, credits."""

from typing import Annotated, Any

from pydantic import Field

from pipeline.config.base import Section

Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2_000)]
"""http is refused at run time unless `network.allow_loopback` is set and the host is this machine."""
EnvName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]
"""Name of an environment variable. Build files never contain keys."""
Gsd = Annotated[float, Field(gt=0.001, le=100)]


class Rate(Section):
    """Rate limits of a source, shared by all workers of a build."""

    per_s: Annotated[float, Field(gt=0, le=10_000)]
    """Requests per second."""
    at_once: Annotated[int, Field(ge=1, le=1_000)]
    """Concurrent requests."""
    per_day: Annotated[int, Field(ge=1)] | None = None
    """Requests per day; no limit if left out."""


class SourceSection(Section):
    """Base of the sections of sources."""

    type: str
    """Type of the source."""


class NetworkSource(SourceSection):
    """Base of the sections of sources on the network."""

    rate: Rate | None = None
    """Rate limits of this source, shared by all workers of a build. Replaces those that geoscribe knows (`geoscribe
    sources list`)."""


class Credits(Section):
    """Author and licence of pictures whose source does not state them itself."""

    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: Url
    """Page of the source."""


def with_flat_credits(settings: dict[str, Any]) -> dict[str, Any]:
    """A source's settings for a digest, with the keys of `credits` in its place.

    Sections of maps and local rasters had these keys once, and tables that were made then stay as they are.
    """
    return {k: v for key, value in settings.items() for k, v in (value.items() if key == "credits" else [(key, value)])}
