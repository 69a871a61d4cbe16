"""Interprets the responses of a model server: as a reply, or as a fault of the server, the request or the set-up."""

import re

from pipeline.captioning.dialogue.envelope import NoEnvelopeError, ending, parse, read_envelope
from pipeline.captioning.dialogue.model_fault_rules import judge
from pipeline.captioning.dialogue.model_faults import Fault
from pipeline.captioning.dialogue.objections import read_objection, said
from pipeline.captioning.dialogue.requests import LimitName, RefusedError, Reply, TooLongError
from pipeline.errors import MachineError

_MISSED = re.compile(r"(?i)cache miss for image")
_OTHER_LIMIT = re.compile(
    r"(?i)unsupported parameter\W{1,5}max_tokens|\bmax_tokens\b.{0,60}\bnot supported|use \W?max_completion_tokens"
)
_NO_GOOD = (
    (re.compile(r"(?i)could not finish the message because max_tokens"), "length"),
    (re.compile(r"(?i)failed to generate json"), "json_validate_failed"),
)
"""Errors in which a server reports a reply: there was one, and it was cut or no JSON. And how it ended, then."""


class SetUpError(MachineError):
    """No request of this build will do until somebody changes the server or the build file; the message says what."""


class MissedError(Exception):
    """The server does not have a picture that was referred to, or takes no references."""


class LimitNameError(Exception):
    """The server wants the limit of a reply under its newer name, `max_completion_tokens`."""


class BusyError(Exception):
    """The server has too much to do."""

    after_s: float | None = None
    """The seconds that it asks to wait (Retry-After)."""


class BrokenError(Exception):
    """The server failed at this request; it may not the next time."""


def read_answer(
    status: int, body: bytes, latency_s: float, server: str, turn: str, *, limit: LimitName = "max_tokens"
) -> Reply:
    """The reply in a server's answer to a chat request.

    Args:
        status: of HTTP.
        body: of the answer.
        latency_s: of the request.
        server: its address, for messages.
        turn: which one was asked, for messages.
        limit: the name under which the request limited its reply.

    Raises:
        TooLongError, RefusedError: this request will not do.
        MissedError, LimitNameError: it may do in another form.
        BusyError, BrokenError: it may do, sent again.
        SetUpError: no request of this build will do.
    """
    if status == 200:
        try:
            raw = parse(body)
        except NoEnvelopeError as error:
            raise BrokenError(f"an answer that is no chat completion: {_words(body)}") from error
        if not (isinstance(raw, dict) and (raw.get("error") or raw.get("object") == "error")):
            return _reply(raw, body, latency_s)
    objection = read_objection(status, body)
    if _MISSED.search(objection.message):
        raise MissedError(objection.said)
    if limit == "max_tokens" and status < 500 and _OTHER_LIMIT.search(objection.message):
        raise LimitNameError(objection.said)
    for pattern, finish_reason in _NO_GOOD:
        if pattern.search(objection.message):
            return Reply(
                text="", finish_reason=finish_reason, prompt_tokens=0, completion_tokens=0, latency_s=latency_s
            )
    verdict = judge(objection)
    words = f"HTTP {status}" + (f": {objection.said}" if objection.said else "")
    if verdict.fault == Fault.SET_UP:
        raise SetUpError(f"{server} {verdict.wrong.format(turn=turn)} ({words}): {verdict.change}")
    if verdict.fault == Fault.TOO_LONG:
        raise TooLongError(words, estimated=False)
    if verdict.fault == Fault.REFUSED:
        raise RefusedError(words)
    raise BusyError(words) if verdict.fault == Fault.BUSY else BrokenError(words)


def _reply(raw: object, body: bytes, latency_s: float) -> Reply:
    try:
        envelope = read_envelope(raw)
    except NoEnvelopeError as error:
        raise BrokenError(f"an answer that is no chat completion: {_words(body)}") from error
    if ending(envelope.finish_reason) == "failed":
        raise BrokenError(f"a reply that ended by {envelope.finish_reason!r}: {said(envelope.text)}")
    return Reply(
        text=envelope.text,
        finish_reason=envelope.finish_reason,
        prompt_tokens=envelope.prompt_tokens,
        completion_tokens=envelope.completion_tokens,
        latency_s=latency_s,
    )


def _words(body: bytes) -> str:
    return said(body[:4_096].decode("utf-8", "replace"))
