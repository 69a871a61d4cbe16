"""Reading what sources answer: JSON from outside, item by item, so that a bad one loses none beside it."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from pipeline.encoding import in_utf8
from pipeline.errors import SiteError
from schemas.reasons import Reason

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR = 2000
"""Earlier dates are of cameras whose clock was never set (1970, 1980)."""
_TEXT_LENGTH = 200


class Wire(BaseModel):
    """Base of what is read from an answer: unknown keys and nulls are ignored, NaN and Infinity refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Servers give null for what they do not know, and leave it out at other times."""
        if not isinstance(value, dict) or None not in value.values():
            return value
        return {key: each for key, each in value.items() if each is not None}


def _id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def one_line(value: Any) -> str:
    """A text from outside as one line without control and invisible characters; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    shown = value[: 10 * _TEXT_LENGTH]
    if not shown.isprintable():  # most are: to look at each character of a city's photos takes minutes
        shown = "".join(c for c in shown if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(shown.split())[:_TEXT_LENGTH]


def _blank(value: Any) -> Any:
    return None if isinstance(value, bool) or (isinstance(value, str) and not value.strip()) else value


def _moment(value: Any) -> datetime | None:
    """An ISO 8601 text or milliseconds since 1970; None where it says no date.

    Without a zone it is UTC; a month (2022-05) stands for its first day.
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            found = datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = _EPOCH + timedelta(milliseconds=value)
        else:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year >= _FIRST_YEAR else None


Id = Annotated[str, BeforeValidator(_id), Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
"""An id, given as a string or a whole number; safe to stand in an address."""
OptionalId = Annotated[Id | None, BeforeValidator(_blank)]
"""An id that may be missing; an empty string is none."""
Text = Annotated[str, BeforeValidator(one_line)]
"""At most 200 characters, see `one_line`."""
Number = Annotated[float | None, BeforeValidator(_blank)]
"""A number, also where it is given as a string; an empty string is none, and neither is true or false."""
Moment = Annotated[datetime | None, BeforeValidator(_moment)]

M = TypeVar("M", bound=Wire)


def parse(body: bytes, model: type[M], source: str) -> M:
    """A whole answer.

    Raises:
        SiteError: BAD_ANSWER, where it is no JSON or not of the documented shape.
    """
    try:
        return model.model_validate(from_json(in_utf8(body), allow_inf_nan=True))
    except ValidationError as error:
        raise SiteError(Reason.BAD_ANSWER, f"{source}: {_fault(error)}") from None
    except ValueError as error:
        raise SiteError(Reason.BAD_ANSWER, f"{source}: no JSON: {error}") from None


def each(items: Iterable[Any], model: type[M], source: str) -> list[M]:
    """The items of an answer that are of the documented shape; the others are logged.

    Raises:
        SiteError: BAD_ANSWER, where there are items and all are bad: the provider has changed its answers.
    """
    return list(one_by_one(items, model, source))


def one_by_one(items: Iterable[Any], model: type[M], source: str) -> Iterator[M]:
    """As `each`, without holding them all; so the fault, or what is logged, comes after the last item."""
    good, bad, first = 0, 0, ""
    for item in items:
        try:
            found = model.model_validate(item)
        except ValidationError as error:
            bad, first = bad + 1, first or _fault(error)
            continue
        good += 1
        yield found
    if bad and not good:
        raise SiteError(Reason.BAD_ANSWER, f"{source}: none of {bad} items can be read: {first}")
    if bad:
        log.warning("%s: %d of %d items cannot be read: %s", source, bad, good + bad, first)


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'answer'}: {first['msg']}"
