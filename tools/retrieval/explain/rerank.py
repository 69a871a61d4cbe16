"""Re-rank the first chips of a search by a vision-language model's confidence, with its reasons.

CVG-Text's re-ranking (ERM) published heat maps and no code for the language model's part; what is asked here is ours.
Each candidate is judged alone, so that no order is suggested. The model is that of a build's captioner, asked by the
same client. A candidate without an answer leaves its query in the old order, and the result says why.
"""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from pipeline.captioning.dialogue.model_client import ModelClient
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.quoting import quoted, to_json
from pipeline.captioning.dialogue.reading import BadReplyError, read_as
from pipeline.captioning.dialogue.replies import ReplyCache
from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request, Sampling, TooLongError
from pipeline.config.captioning import Dialogue
from pipeline.errors import SiteError
from pipeline.storage import open_store

_TEMPLATE = Path(__file__).with_name("rerank.jinja")
_REPLY_TOKENS = 400
_QUALITY = 90


class Judgement(BaseModel):
    """The model's reply on one chip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reasons: Annotated[list[Annotated[str, Field(max_length=240)]], Field(max_length=4)]
    confidence: Annotated[int, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Candidate:
    """A chip that a search found for a text."""

    sample_id: str
    similarity: float
    pixels: NDArray[np.uint8]
    """3 x size x size, as it is shown to the model."""


@dataclass(frozen=True)
class Query:
    """A text and the chips found for it, best first."""

    sample_id: str
    text: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Reranked:
    """A query with its new order."""

    query: Query
    order: tuple[int, ...]
    """Places in `query.candidates`, best first."""
    judgements: tuple[Judgement | None, ...]
    """Judgements of the candidates, in their old order."""
    fault: str | None
    """Why a candidate has no judgement and the order is the old one."""


def rerank(
    queries: Sequence[Query],
    settings: Dialogue,
    replies: str,
    *,
    heading_up: bool,
    metres: int,
    weight: float = 0.5,
    seed: int = 0,
) -> list[Reranked]:
    """Ask the model about each candidate of each query, and order them anew.

    Args:
        queries: texts with their first few chips.
        settings: model, servers and sampling, as of a build's captioner.
        replies: folder or URL in which replies are kept; nothing is asked twice.
        heading_up: whether the chips are turned so that the upper edge is ahead.
        metres: what a chip shows from side to side.
        weight: of the confidence against the similarity, 0 to 1; both are scaled to 0 to 1 within a query.
        seed: of the model's sampling.

    Raises:
        MachineError: no server answers, or it is not the one configured.
    """
    cache = ReplyCache(open_store(replies, where="--replies"))
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - no HTML, and settings alone
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    system = template.render(heading_up=heading_up, metres=metres).strip()
    return asyncio.run(_rerank(queries, _Session(settings, cache, system, seed), weight))


@dataclass(frozen=True)
class _Session:
    """Settings that all requests share."""

    settings: Dialogue
    cache: ReplyCache
    system: str
    seed: int

    def request(self, query: Query, candidate: Candidate) -> Request:
        said = self.settings
        tokens = min(_REPLY_TOKENS, said.reply_tokens)
        buffer = io.BytesIO()
        Image.fromarray(candidate.pixels.transpose(1, 2, 0)).save(buffer, "JPEG", quality=_QUALITY)
        side = candidate.pixels.shape[1]
        picture = Picture("aerial", buffer.getvalue(), side, side, None, None, None, None)
        data = f"<data>\n{to_json({'description': quoted(query.text)})}\n</data>\nJudge the picture by it."
        return Request(
            "judge",
            Sampling(said.model, said.revision, said.temperature, said.top_p, tokens),
            self.seed,
            self.system,
            (picture, data),
            Judgement.model_json_schema(),
        )

    async def ask(self, client: ModelClient, request: Request, home: Home) -> Reply:
        """Return the stored reply, or request one from a server.

        Raises:
            TooLongError, RefusedError, SiteError, MachineError: as `ModelClient.ask` does.
        """
        reply = self.cache.find(request)
        if reply is None:
            reply = await client.ask(request, home)
            self.cache.keep(request, reply)
        return reply


async def _rerank(queries: Sequence[Query], desk: _Session, weight: float) -> list[Reranked]:
    client = ModelClient(desk.settings)
    room = asyncio.Semaphore(desk.settings.at_once * len(desk.settings.endpoints))

    async def one(query: Query) -> Reranked:
        async with room:
            return await _judged(query, desk, client, weight)

    try:
        await client.ready()
        return list(await asyncio.gather(*(one(query) for query in queries)))
    finally:
        await client.close()


async def _judged(query: Query, desk: _Session, client: ModelClient, weight: float) -> Reranked:
    home, judgements, fault = Home(), list[Judgement | None](), None
    for candidate in query.candidates:
        try:
            judgements.append(read_as(Judgement, "judge", await desk.ask(client, desk.request(query, candidate), home)))
        except (TooLongError, RefusedError, SiteError, BadReplyError) as error:
            judgements.append(None)
            fault = f"{candidate.sample_id}: {error}"
    home.move(None)
    known = [judgement for judgement in judgements if judgement is not None]
    order = tuple(range(len(judgements))) if fault is not None else _order(query, known, weight)
    return Reranked(query, order, tuple(judgements), fault)


def _order(query: Query, judgements: Sequence[Judgement], weight: float) -> tuple[int, ...]:
    similarity = _scaled([candidate.similarity for candidate in query.candidates])
    confidence = _scaled([judgement.confidence for judgement in judgements])
    return tuple(np.argsort(-((1 - weight) * similarity + weight * confidence), kind="stable").tolist())


def _scaled(values: Sequence[float]) -> NDArray[np.float64]:
    """Scale to 0 for the smallest and 1 for the largest value; all 0 if they are equal."""
    found = np.array(values, np.float64)
    spread = np.ptp(found) if len(found) else 0.0
    return np.asarray((found - found.min()) / spread if spread else np.zeros(len(found)))
