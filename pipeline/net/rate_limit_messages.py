"""Messages between the service of shared rate limits and its workers.

They are lines of JSON over TCP, on one connection per worker.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pipeline.net.base import Provider
from schemas.reasons import Reason

LONGEST_LINE = 16_384
"""Limit for a message, in bytes."""
GREETING_S = 10.0
"""Timeout for the token, and for the reply to it, in seconds."""
WELCOME = b"welcome\n"
"""The service's reply to the right token."""


class Message(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Whom(Message):
    """A host of a provider."""

    provider: str
    per_s: Annotated[float, Field(gt=0)]
    at_once: Annotated[int, Field(ge=1)]
    per_day: Annotated[int, Field(ge=1)] | None
    host: str

    def to_provider(self) -> Provider:
        """The provider, as far as its limits go."""
        return Provider(self.provider, (), self.per_s, self.at_once, self.per_day)


class Ask(Whom):
    """Message: request a slot. `number` is new on this connection."""

    op: Literal["ask"] = "ask"
    number: int
    key_mark: str | None


class Hold(Whom):
    """Message: no more requests to the host for some seconds."""

    op: Literal["hold"] = "hold"
    seconds: Annotated[float, Field(ge=0)]
    waited: bool


class Seen(Message):
    """Message: what came of a request."""

    op: Literal["seen"] = "seen"
    number: int
    status: int | None
    seconds: Annotated[float, Field(ge=0)]


class Over(Message):
    """Message: the request is over, or no longer wanted."""

    op: Literal["over"] = "over"
    number: int


class Reply(Message):
    """Message: the slot is granted, or what `RateLimiter.slot` raised."""

    number: int
    reason: Reason | None = None
    fault: str | None = None


FromWorker = Ask | Hold | Seen | Over
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(Annotated[FromWorker, Field(discriminator="op")])


def whom(provider: Provider, host: str) -> dict[str, str | float | int | None]:
    """The fields of `Whom`."""
    return {
        "provider": provider.name,
        "per_s": provider.per_s,
        "at_once": provider.at_once,
        "per_day": provider.per_day,
        "host": host,
    }


def to_line(message: Message) -> bytes:
    """A message as it is sent."""
    return message.model_dump_json().encode() + b"\n"
