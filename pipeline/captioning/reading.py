"""A model's reply, checked: it ended by itself, is JSON, has the turn's form, and keeps the limits."""

import json
import re
import unicodedata
from collections.abc import Collection, Mapping

from pydantic import ValidationError

from pipeline.captioning.answer_text import answer_in
from pipeline.captioning.envelope import ending
from pipeline.captioning.objections import said as server_words
from pipeline.captioning.requests import Reply
from pipeline.captioning.tokens import count_clip_tokens
from prompts import replies
from prompts.replies import OFFERED, REPLIES, Composition, Turn
from schemas.reasons import Reason
from schemas.records import Sentence, Variant

_HALF = re.compile("[\ud800-\udfff]")
"""A surrogate without its other half: JSON can spell it, and no file can hold it."""
_LOST = "\ufffd"
"""In place of a character that could not be read."""
VARIANTS: tuple[Variant, ...] = ("long", "short", "street")


class BadReplyError(Exception):
    """The reply cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_reply(turn: Turn, reply: Reply, offered: Collection[str], most_tokens: Mapping[Variant, int]) -> replies.Reply:
    """The reply as the turn's model.

    Args:
        turn: whose reply it is.
        reply: as it came.
        offered: ids of the cues that the turn was given.
        most_tokens: CLIP tokens that each description may have.

    Raises:
        BadReplyError: REPLY_CUT, MODEL_REFUSED, BAD_REPLY or TOO_LONG, and what is wrong.
    """
    end = ending(reply.finish_reason)
    if end == "cut":
        raise BadReplyError(Reason.REPLY_CUT, f"turn {turn}: cut after {reply.completion_tokens} tokens")
    if end == "declined":
        raise BadReplyError(Reason.MODEL_REFUSED, f"turn {turn}: the model declined: {server_words(reply.text)}")
    if end != "whole":
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: ended by {reply.finish_reason!r}")
    try:
        raw = answer_in(reply.text)
        if _HALF.search(json.dumps(raw, ensure_ascii=False)):
            raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: half a character (a lone surrogate) in its text")
        read = REPLIES[turn].model_validate(raw, context={OFFERED: frozenset(offered)})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = server_words(".".join(map(str, fault["loc"]))) or "the whole"
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: {where}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BadReplyError(Reason.BAD_REPLY, f"turn {turn}: no JSON: {error}") from error
    if isinstance(read, Composition):
        _check(turn, sentences_of(read), most_tokens)
    return read


def sentences_of(composition: Composition) -> list[Sentence]:
    """The descriptions' sentences, white space collapsed and invisible characters gone."""
    return [
        Sentence(variant=variant, text=_plain(said.text), cue_ids=list(dict.fromkeys(said.cues)))
        for variant in VARIANTS
        for said in getattr(composition, variant)
    ]


def text_of(sentences: Collection[Sentence], variant: Variant) -> str:
    """One description: its sentences, joined."""
    return " ".join(sentence.text for sentence in sentences if sentence.variant == variant)


def _check(turn: Turn, sentences: Collection[Sentence], most_tokens: Mapping[Variant, int]) -> None:
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
