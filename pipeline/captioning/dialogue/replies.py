"""Replies that were paid for, kept in the workspace: a build that is killed or run again asks for none of them twice.

`replies/<2 digits>/<digest>.json`, where the digest is of everything in the request but the server.
"""

import logging
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request, TooLongError
from pipeline.storage import Store

log = logging.getLogger(__name__)

FOLDER = "replies"


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: str
    model: str
    revision: str | None
    temperature: float
    top_p: float
    max_tokens: int
    seed: int


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    asked: _Asked
    reply: Reply | None = None
    fault: Literal["too long", "refused"] | None = None
    said: str = ""


class ReplyCache:
    """The kept replies of a workspace. Safe for threads and for several processes: files are written whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, request: Request) -> Reply | None:
        """The reply to this request, if it was asked before.

        Raises:
            TooLongError, RefusedError: the server refused it then, and would again.
        """
        path = _path(request)
        try:
            kept = _Kept.model_validate_json(self._store.read(path))
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s is damaged; asking again", path)
            self._store.delete(path)
            return None
        if kept.fault == "too long":
            raise TooLongError(kept.said, estimated=False)
        if kept.fault == "refused":
            raise RefusedError(kept.said)
        return kept.reply

    def keep(self, request: Request, answer: Reply | TooLongError | RefusedError) -> None:
        """Keep what came; what is there already stays."""
        sampling = request.sampling
        asked = _Asked(
            turn=request.name,
            model=sampling.model,
            revision=sampling.revision,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=request.seed,
        )
        if isinstance(answer, Reply):
            kept = _Kept(asked=asked, reply=answer)
        else:
            fault: Literal["too long", "refused"] = "too long" if isinstance(answer, TooLongError) else "refused"
            kept = _Kept(asked=asked, fault=fault, said=str(answer))
        self._store.create(_path(request), kept.model_dump_json().encode())


def _path(request: Request) -> str:
    key = request.key()
    return f"{FOLDER}/{key[:2]}/{key}.json"
