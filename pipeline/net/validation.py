"""Validates a response: by the provider's own rules, then by whether it is what was requested."""

import re

from pipeline.net import redact
from pipeline.net.base import Provider, Request, Verdict
from pipeline.net.robots import forbids_pictures
from pipeline.net.status import OK, by_status
from pipeline.net.transport import Reply
from schemas.reasons import Reason

_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body|script|title|meta)\b", re.IGNORECASE)
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSAID = ("", "application/octet-stream", "binary/octet-stream")
"""Media types that say nothing: buckets send them for anything, so the body decides."""


def media_type(reply: Reply) -> str:
    """The media type without parameters, in lower case; empty if the response states none."""
    return reply.headers.get("content-type", "").partition(";")[0].strip().lower()


def judge(provider: Provider, request: Request, reply: Reply, *, with_key: bool) -> Verdict:
    """The verdict on a response.

    Args:
        provider: The provider that was asked.
        request: The request.
        reply: The response.
        with_key: Whether the provider's key was sent.
    """
    try:
        verdict = (provider.judge or by_status)(reply.status, reply.headers, reply.body)
    except (ValueError, RecursionError):  # of a parser: the body is not what the provider documents
        verdict = by_status(reply.status, reply.headers, reply.body)
        if verdict.kind == "ok":
            return Verdict("again", Reason.BAD_ANSWER, "a response that cannot be parsed")
    if provider.judge is None and reply.status == 401 and with_key:
        return Verdict("fatal", Reason.REFUSED)
    if verdict.kind == "ok":
        verdict = _range_verdict(request, reply)
    if verdict.kind == "ok" and request.accept:
        verdict = _type_verdict(request.accept, reply)
    if verdict.kind == "ok" and not provider.documented_api and media_type(reply).startswith("image/"):
        tag = reply.headers.get("x-robots-tag", "")
        if forbids_pictures(tag):
            return Verdict("final", Reason.REFUSED, f"its X-Robots-Tag says {tag}")
    return verdict


def excerpt(reply: Reply) -> str:
    """The start of a text, XML or JSON response, in one line."""
    if not media_type(reply).endswith(("json", "xml", "text/plain")):
        return ""
    # Keys are masked before the cut, which might leave the half of one.
    text = redact.clean(reply.body[:4_000].decode("utf-8", "replace"))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _type_verdict(accept: tuple[str, ...], reply: Reply) -> Verdict:
    kind = media_type(reply)
    wants_html = any("html" in accepted for accepted in accept)
    if not wants_html and (kind == "text/html" or _HTML.match(reply.body[:1_024])):
        return Verdict("again", Reason.BAD_ANSWER, f"a web page, sent as {kind or 'nothing in particular'}")
    if not reply.body and any(accepted.startswith(("image/", "application/json")) for accepted in accept):
        if reply.status == 204:
            return Verdict("final", Reason.GONE, "the server reports no content")
        return Verdict("again", Reason.BAD_ANSWER, "an empty response")
    if kind not in _UNSAID and not kind.startswith(accept):
        return Verdict("final", Reason.BAD_ANSWER, f"{kind} instead of {' or '.join(accept)}; {excerpt(reply)}")
    return OK


def _range_verdict(request: Request, reply: Reply) -> Verdict:
    if request.first is None and request.length is None:
        if reply.status == 206:
            return Verdict("final", Reason.BAD_ANSWER, "a range of a file that was asked for whole")
        return OK
    fault = _range_fault(request, reply)
    return Verdict("again", Reason.BAD_ANSWER, fault) if fault else OK


def _range_fault(request: Request, reply: Reply) -> str | None:
    """The fault of the response to a range request (RFC 9110, 14.4), if it has one."""
    found = _RANGE.fullmatch(reply.headers.get("content-range", "").strip())
    if reply.status != 206 or not found:
        return f"status {reply.status} without a Content-Range where a range is wanted"
    first, last = int(found[1]), int(found[2])
    total = None if found[3] == "*" else int(found[3])
    wanted = request.first or 0
    if first != wanted or last - first + 1 != len(reply.body):
        return f"bytes {first} to {last}, {len(reply.body)} of them, where those from {wanted} are wanted"
    at_the_end = total is not None and last + 1 == total
    if request.length is None:
        return None if at_the_end or total is None else f"bytes up to {last} of {total}, where all are wanted"
    if len(reply.body) > request.length or (len(reply.body) < request.length and not at_the_end):
        return f"{len(reply.body)} bytes where {request.length} are wanted"
    return None
