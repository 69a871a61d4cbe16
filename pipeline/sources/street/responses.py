"""Interprets the responses of street providers by their bodies; statuses are often wrong."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from pipeline.net.base import Judge, Verdict
from pipeline.net.status import OK, by_status
from pipeline.sources.wire import one_line
from schemas.reasons import Reason

_LONGEST_FAULT = 20_000
"""Bytes; what is longer is data."""

_GRAPH = {
    1: Verdict("again", Reason.SERVER_ERROR),
    2: Verdict("again", Reason.SERVER_ERROR),
    4: Verdict("again", Reason.RATE_LIMITED),  # of the application
    17: Verdict("again", Reason.RATE_LIMITED),  # of the user
    100: Verdict("final", Reason.REFUSED),  # a parameter
    190: Verdict("fatal", Reason.REFUSED),  # the token: wrong, expired, or of another service
    613: Verdict("again", Reason.RATE_LIMITED),
}
"""By `error.code` of Meta's Graph API, https://developers.facebook.com/docs/graph-api/guides/error-handling."""

_GOOGLE = {
    "INVALID_REQUEST": Verdict("final", Reason.REFUSED),
    "NOT_FOUND": OK,
    "OK": OK,
    "OVER_QUERY_LIMIT": Verdict("again", Reason.RATE_LIMITED),
    "REQUEST_DENIED": Verdict("fatal", Reason.REFUSED),
    "UNKNOWN_ERROR": Verdict("again", Reason.SERVER_ERROR),
    "ZERO_RESULTS": OK,
}
"""By `status` in the body, https://developers.google.com/maps/documentation/streetview/metadata."""


def mapillary(mend: str) -> Judge:
    """Interprets responses of the Graph API and of picture hosts. A refused token has status 500 and code 190.

    Args:
        mend: what to do about a refused token.
    """

    def judge(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
        error = _object(body).get("error")
        if not isinstance(error, dict):
            return Verdict("fatal", Reason.REFUSED, mend) if status == 401 else by_status(status, headers, body)
        code, message = error.get("code"), one_line(error.get("message"))
        detail = f"code {code}: {message}"
        if "reduce the amount of data" in message.lower():  # with code 1, for boxes dense with photos
            return Verdict("final", Reason.ANSWER_TOO_LARGE, detail)
        if code == 100 and error.get("error_subcode") == 33:  # no such object, or not for this token
            return Verdict("final", Reason.GONE, detail)
        return _known(_GRAPH, code, detail, mend) or _unknown(status, headers, body, detail)

    return judge


def mapillary_tiles(mend: str) -> Judge:
    """Interprets responses of the coverage tiles, which refuse a token by status."""
    graph = mapillary(mend)

    def judge(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
        return Verdict("fatal", Reason.REFUSED, mend) if status == 403 else graph(status, headers, body)

    return judge


def panoramax(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interprets responses of a Panoramax API: `{"message", "status_code"}`."""
    fault = _object(body)
    code, detail = fault.get("status_code"), one_line(fault.get("message"))
    if isinstance(code, int) and code >= 400:
        return _with(by_status(code, headers, body), detail)
    return _with(by_status(status, headers, body), detail)


def kartaview(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interprets KartaView's `status.apiCode`: 600 is success, 601 an empty response. The codes are undocumented."""
    inner = _object(body, longest=None).get("status") if body.lstrip()[:1] == b"{" else None
    if not isinstance(inner, dict) or "apiCode" not in inner:
        return by_status(status, headers, body)
    code, detail = str(inner["apiCode"]), f"code {inner['apiCode']}: {one_line(inner.get('apiMessage'))}"
    if code in {"600", "601"}:
        return OK
    return _with(Verdict("final", Reason.REFUSED) if status < 400 else by_status(status, headers, body), detail)


def google(mend: str) -> Judge:
    """Interprets responses of the Street View APIs. Faults have status 200 and a JSON body; a refused key, 403.

    Args:
        mend: what to do about a refused key.
    """

    def judge(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
        if status in {401, 403}:
            return Verdict("fatal", Reason.REFUSED, mend)
        told = _object(body)
        if "status" not in told:
            return by_status(status, headers, body)
        detail = f"{one_line(told['status'])}: {one_line(told.get('error_message'))}"
        return _known(_GOOGLE, told["status"], detail, mend) or _unknown(status, headers, body, detail)

    return judge


def _known(table: Mapping[Any, Verdict], code: Any, detail: str, mend: str) -> Verdict | None:
    found = table.get(code) if isinstance(code, int | str) else None
    if found is None or found.kind == "ok":
        return found
    return _with(found, f"{detail}. {mend}" if found.kind == "fatal" else detail)


def _unknown(status: int, headers: Mapping[str, str], body: bytes, detail: str) -> Verdict:
    """A fault with a code that is not known: the status may say more than nothing."""
    by = by_status(status, headers, body)
    return _with(Verdict("final", Reason.BAD_ANSWER) if by.kind == "ok" else by, detail)


def _with(verdict: Verdict, detail: str) -> Verdict:
    return Verdict(verdict.kind, verdict.reason, detail)


def _object(body: bytes, longest: int | None = _LONGEST_FAULT) -> dict[str, Any]:
    """The JSON object in a body; empty where there is none, or where it is too long for a fault."""
    if body.lstrip()[:1] != b"{" or (longest is not None and len(body) > longest):
        return {}
    try:
        found: dict[str, Any] = from_json(body, allow_inf_nan=True)
    except ValueError:
        return {}
    return found
