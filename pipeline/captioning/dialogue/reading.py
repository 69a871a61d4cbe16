"""A model's reply, checked: it ended by itself, is JSON, has the turn's form, and keeps the limits."""

import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.captioning.dialogue.envelope import ending
from pipeline.captioning.dialogue.objections import said as server_words
from pipeline.captioning.dialogue.reply_text import answer_in
from pipeline.captioning.dialogue.requests import Reply
from pipeline.captioning.grounding.grounding import VARIANTS, text_of
from pipeline.captioning.tokens import count_clip_tokens
from prompts import replies
from prompts.replies import REPLIES, Composition, Turn
from schemas.reasons import Reason
from schemas.records import Claim, Sentence, Shows, Variant

KindT = TypeVar("KindT", bound=BaseModel)

_HALF = re.compile("[\ud800-\udfff]")
"""A surrogate without its other half: JSON can spell it, and no file can hold it."""
_LOST = "\ufffd"
"""In place of a character that could not be read."""
_SHOWS: dict[str, Shows] = {"above": "from_above", "map": "on_map", "street": "street_only"}


class BadReplyError(Exception):
    """The reply cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_reply(turn: Turn, reply: Reply, most_tokens: Mapping[Variant, int]) -> replies.Reply:
    """The reply as the turn's model.

    Args:
        turn: whose reply it is.
        reply: as it came.
        most_tokens: CLIP tokens that each description may have.

    Raises:
        BadReplyError: REPLY_CUT, MODEL_REFUSED, BAD_REPLY or TOO_LONG, and what is wrong.
    """
    read = read_as(REPLIES[turn], turn, reply)
    if isinstance(read, Composition):
        _check(turn, sentences_of(read, frozenset()), most_tokens)
    return read


def read_as(kind: type[KindT], turn: str, reply: Reply) -> KindT:
    """The reply as a model of its form.

    Raises:
        BadReplyError: REPLY_CUT, MODEL_REFUSED or BAD_REPLY, and what is wrong.
    """
    end = ending(reply.finish_reason)
    if end == "cut":
        raise BadReplyError(Reason.REPLY_CUT, f"turn {turn}: cut after {reply.completion_tokens} tokens")
    if end == "declined":
        raise BadReplyError(Reason.MODEL_REFUSED, f"turn {turn}: the model declined: {server_words(reply.text)}")
    if end != "whole":
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: ended by {reply.finish_reason!r}")
    if not reply.text.strip():
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: an empty reply")
    try:
        raw = answer_in(reply.text)
        if _HALF.search(json.dumps(raw, ensure_ascii=False)):
            raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: half a character (a lone surrogate) in its text")
        return kind.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = server_words(".".join(map(str, fault["loc"]))) or "the whole"
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: {where}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: no JSON: {error}") from error


def sentences_of(composition: Composition, offered: Collection[str]) -> list[Sentence]:
    """The descriptions' sentences with their claims, white space collapsed and invisible characters gone.

    What a claim cites without its having been `offered` is left out: it bears nothing out.
    """
    return [
        Sentence(
            variant=variant,
            text=_plain(said.text),
            cue_ids=list(dict.fromkeys(i for stated in said.claims for i in stated.cites if i in offered)),
            claims=[
                Claim(
                    text=_plain(stated.says),
                    kind=stated.kind,
                    cites=list(dict.fromkeys(i for i in stated.cites if i in offered)),
                    outcome="not_witnessed",
                    witnesses=[],
                )
                for stated in said.claims
            ],
            shows=_SHOWS[said.shows],
        )
        for variant in VARIANTS
        for said in getattr(composition, variant)
    ]


def _check(turn: Turn, sentences: Sequence[Sentence], most_tokens: Mapping[Variant, int]) -> None:
    if any(not sentence.text for sentence in sentences):
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: an empty sentence")
    if any(_LOST in sentence.text for sentence in sentences):
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: a sentence with a character that cannot be read (U+FFFD)")
    for variant, most in most_tokens.items():
        tokens = count_clip_tokens(text_of(sentences, variant))
        if tokens > most:
            raise BadReplyError(Reason.TOO_LONG, f"turn {turn}: {variant} has {tokens} tokens, at most {most} allowed")


def _plain(text: str) -> str:
    kept = (" " if c.isspace() else c for c in text if c.isspace() or not unicodedata.category(c).startswith("C"))
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))
