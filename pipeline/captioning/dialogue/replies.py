"""Replies that were paid for, kept in the workspace: a build that is killed or run again asks for none of them twice.

`replies/<2 digits>/<digest>.json`, where the digest is of everything in the request but the server.
"""

import logging

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.captioning.dialogue.requests import Reply, Request
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
    model_config = ConfigDict(extra="ignore", frozen=True)  # earlier versions kept faults as well, beside the reply

    asked: _Asked
    reply: Reply


class ReplyCache:
    """The kept replies of a workspace. Safe for threads and for several processes: files are written whole.

    Only replies are kept, good ones and bad ones. Why there was none (the server was busy, broken, set up otherwise,
    or refused) lies with the server as much as with the request, costs nothing, and is asked for again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, request: Request) -> Reply | None:
        """The reply to this request, if there was one. A file that is no such reply goes, with a warning."""
        path = _path(request)
        try:
            kept = _Kept.model_validate_json(self._store.read(path))
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s holds no reply; asking again", path)
            self._store.delete(path)
            return None
        if kept.asked != _asked(request):
            log.warning("%s holds the reply to another request; asking again", path)
            self._store.delete(path)
            return None
        return kept.reply

    def keep(self, request: Request, reply: Reply) -> None:
        """Keep what came; what is there already stays."""
        kept = _Kept(asked=_asked(request), reply=reply)
        self._store.create(_path(request), kept.model_dump_json().encode())


def _asked(request: Request) -> _Asked:
    sampling = request.sampling
    return _Asked(
        turn=request.name,
        model=sampling.model,
        revision=sampling.revision,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        seed=request.seed,
    )


def _path(request: Request) -> str:
    key = request.key()
    return f"{FOLDER}/{key[:2]}/{key}.json"
