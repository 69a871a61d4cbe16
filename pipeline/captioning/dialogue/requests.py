"""Requests to a model, and its replies."""

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.captioning.dialogue.pictures import Picture
from pipeline.digest import digest

LimitName = Literal["max_tokens", "max_completion_tokens"]
"""What a server calls the limit of a reply's tokens: the older name is the commoner, some take only the newer."""
MARKS_TOKENS = 8
"""Tokens of a chat message around its text."""


@dataclass(frozen=True)
class Sampling:
    """How a reply is drawn."""

    model: str
    revision: str | None
    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One request: instructions in the system message, everything about the place in the user's."""

    name: str
    """Name of the turn; `observe 0@90` for one of several."""
    sampling: Sampling
    seed: int
    system: str
    parts: tuple[str | Picture, ...]
    """The user's message, in reading order."""
    schema: dict[str, Any]
    """JSON Schema that the reply is held to."""

    def key(self) -> str:
        """Digest of all that decides what the reply is, but the server."""
        parts = [part.digest if isinstance(part, Picture) else [part] for part in self.parts]
        return digest(vars(self.sampling), self.seed, self.system, parts, self.schema, length=32)

    def tokens(self) -> int:
        """How long the prompt is at most, in tokens, for texts and pictures as they come."""
        texts = [self.system, *(part for part in self.parts if isinstance(part, str))]
        shown = sum(part.tokens for part in self.parts if isinstance(part, Picture))
        return shown + sum(text_tokens(text) for text in texts) + 2 * MARKS_TOKENS

    def refers(self, held: frozenset[str] | None) -> bool:
        """Whether it would refer to a picture of those held, and not send it."""
        return any(isinstance(part, Picture) and part.digest in (held or ()) for part in self.parts)

    def body(self, held: frozenset[str] | None, limit: LimitName = "max_tokens") -> dict[str, Any]:
        """The request as JSON.

        Args:
            held: digests of pictures that the server keeps, which are then referred to; None for a server that keeps
                none and does not know of `uuid`.
            limit: what the server calls the limit of a reply.
        """
        content = [_text(part) if isinstance(part, str) else _picture(part, held) for part in self.parts]
        return {
            "model": self.sampling.model,
            "messages": [{"role": "system", "content": self.system}, {"role": "user", "content": content}],
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            limit: self.sampling.max_tokens,
            "seed": self.seed,
            "stream": False,  # some servers stream unless they are told not to
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": self.name.split()[0], "strict": True, "schema": self.schema},
            },
        }


def text_tokens(text: str) -> int:
    """Estimate on the safe side: a token is about four letters of English, and one of most other scripts."""
    return len(text.encode()) // 3 + 1


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _picture(picture: Picture, held: frozenset[str] | None) -> dict[str, Any]:
    if held is not None and picture.digest in held:
        return {"type": "image_url", "image_url": None, "uuid": picture.digest}
    url = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode()
    return {"type": "image_url", "image_url": {"url": url}} | ({} if held is None else {"uuid": picture.digest})


class Reply(BaseModel):
    """A server's reply, with the tokens and the time that it took."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    """As it came: what a model put around its answer is there still."""
    finish_reason: str
    """In the server's word; `envelope.ending` says what it means."""
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]
    latency_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TooLongError(Exception):
    """The server finds the prompt longer than its model takes, or our estimate does (`estimated`)."""

    def __init__(self, said: str, *, estimated: bool) -> None:
        super().__init__(said)
        self.estimated = estimated


class RefusedError(Exception):
    """The server refuses the request: sent again as it is, it would be refused again."""
