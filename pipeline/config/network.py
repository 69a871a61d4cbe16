"""Section `network`: timeouts, retries and the response cache."""

from typing import Annotated

from pydantic import Field

from pipeline.config.base import Section, Share


class Network(Section):
    """How sources are asked over the network. Nothing here changes the output."""

    contact: (
        Annotated[str, Field(pattern=r"^(mailto:)?[^\s@]+@[^\s@]+\.[^\s@]+$|^https?://\S+$", max_length=200)] | None
    ) = None
    """Mail address or page where a source's operator can reach you; sent in the User-Agent header. Some sources require
    it."""
    cache: str | None = None
    """Folder of the response cache. If left out: `geoscribe` in the user's cache folder."""
    cache_gb: Annotated[float, Field(ge=0, le=100_000)] = 20.0
    """Maximum size of the response cache, in gigabytes; the least recently used responses are evicted. 0 switches the
    cache off."""
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Maximum number of concurrent requests per host, where the limits of the source allow more."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Timeout for establishing a connection, in seconds."""
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Maximum pause while a response is read, in seconds."""
    total_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 120.0
    """Timeout for one request, from connecting to the last byte, in seconds."""
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    """Maximum number of attempts per request."""
    max_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """Maximum wait that a server may ask for (Retry-After), in seconds. If it asks for more, the request fails."""
    retry_share: Share = 0.1
    """Maximum share of retries among the requests to a host. Above it, after the first 50 retries, errors are final
    until the share falls."""
    allow_loopback: bool = False
    """Allow sources at this machine's own addresses over plain http: for stand-ins and test servers."""
