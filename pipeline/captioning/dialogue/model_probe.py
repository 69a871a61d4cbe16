"""The small request that shows, before any place is asked about, whether a server can do what the build will ask."""

import asyncio
import logging
import time
from functools import cache
from typing import Annotated, Literal

import aiohttp
import numpy as np
from pydantic import Field, ValidationError

from pipeline.captioning.dialogue.envelope import ending
from pipeline.captioning.dialogue.model_responses import BrokenError, BusyError, LimitNameError, MissedError, SetUpError
from pipeline.captioning.dialogue.model_wire import described, send
from pipeline.captioning.dialogue.objections import said
from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.reply_text import answer_in
from pipeline.captioning.dialogue.requests import LimitName, RefusedError, Reply, Request, Sampling, TooLongError
from pipeline.config.captioning import Dialogue
from pipeline.imaging.encode import encode_jpeg
from prompts import replies

log = logging.getLogger(__name__)

NAME = "ready"
_SIDE_PX = 112
_TOKENS = 128
"""A model that thinks aloud is cut off by them, which shows as much."""
_PAUSES_S = (0.5, 1.0, 2.0, 5.0)


class _Plain(replies.Reply):
    colour: Annotated[str, Field(min_length=1, max_length=20)]
    place: Literal["first", "second"]


class _Seen(replies.Reply):
    """A reply whose schema has the keywords that those of the turns have."""

    pictures: Annotated[list[_Plain], Field(min_length=1, max_length=2)]


class UnansweredError(Exception):
    """The server does not answer such a request now; the message says what it did."""


async def probe(session: aiohttp.ClientSession, url: str, settings: Dialogue) -> LimitName:
    """Ask a server about two small pictures, by a JSON schema and with the build's own settings.

    A server that is busy is waited for as long as for a reply, then taken as fit: that it is busy shows nothing else.

    Returns:
        What it calls the limit of a reply.

    Raises:
        SetUpError: it never will answer, as it is set up.
        UnansweredError: it does not answer, at every try.
    """
    request = _request(settings)
    until = time.monotonic() + settings.reply_timeout_s
    limit: LimitName = "max_tokens"
    failed = asked = 0
    while True:
        try:
            reply = await send(session, url, request, None, limit)
        except LimitNameError:
            limit = "max_completion_tokens"
            continue
        except BusyError as error:
            if time.monotonic() > until:
                log.warning("%s is busy all the time (%s): how it is set up is not known yet", url, error)
                return limit
        except (TooLongError, RefusedError, MissedError) as error:
            raise SetUpError(
                f"{url} refuses a small request with two pictures and a JSON schema ({error}), such as every turn is: "
                "start it with `geoscribe serve`, or change what it objects to"
            ) from error
        except (BrokenError, aiohttp.ClientError, TimeoutError, OSError) as error:
            failed += 1
            if failed >= settings.tries:
                raise UnansweredError(f"{described(error)}, at a small request") from error
        else:
            _look_at(reply, url)
            return limit
        await asyncio.sleep(_PAUSES_S[min(asked, len(_PAUSES_S) - 1)])
        asked += 1


def _look_at(reply: Reply, url: str) -> None:
    """Say so if the reply shows that the server does not hold replies to schemas; the turns may do all the same."""
    if ending(reply.finish_reason) != "whole":
        return
    try:
        _Seen.model_validate(answer_in(reply.text))
    except (ValidationError, ValueError, RecursionError):
        log.warning(
            "%s does not hold replies to the JSON schema that is sent with a request (it replied %r): expect bad_reply",
            url,
            said(reply.text)[:80],
        )


@cache
def _picture(red: int, green: int, blue: int) -> Picture:
    pixels = np.full((_SIDE_PX, _SIDE_PX, 3), (red, green, blue), np.uint8)
    return Picture("street", encode_jpeg(pixels, 90), _SIDE_PX, _SIDE_PX, None, None, None, None)


def _request(settings: Dialogue) -> Request:
    return Request(
        name=NAME,
        sampling=Sampling(
            settings.model,
            settings.revision,
            settings.temperature,
            settings.top_p,
            min(_TOKENS, settings.reply_tokens),
        ),
        seed=0,
        system="You look at pictures and reply in JSON.",
        parts=(
            "First picture:",
            _picture(200, 30, 30),
            "Second picture:",
            _picture(30, 30, 200),
            'Which colour has each? Reply as {"pictures": [{"colour": "...", "place": "first"}, ...]}.',
        ),
        schema=_Seen.model_json_schema(),
    )
