"""Types that all sections of a build file share."""

import re
from datetime import date
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DateText = Annotated[str, BeforeValidator(_as_text)]
"""A date or moment as ISO 8601 text; YAML readers make a `date` or `datetime` of what stands without quotes."""
_BUCKETS = frozenset({"s3", "gs", "az"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/\\]")


def _as_place(value: str) -> str:
    scheme, is_url, rest = value.partition("://")
    if value != value.strip() or not value.isprintable():
        raise ValueError("a path or URL without blanks at its ends and without control characters")
    if value.startswith("~") or "$" in value:
        raise ValueError("a path or URL written out; nothing stands for ~ or $ here")
    if _SCHEME.match(value) and not (is_url and scheme in _BUCKETS and rest.strip("/")):
        raise ValueError("a folder, or s3://, gs:// or az:// and a bucket")
    return value


Place = Annotated[str, Field(min_length=1), AfterValidator(_as_place)]
"""A folder, which need not be there yet, or the URL of a bucket. So what is mistaken would be made without a word."""
Share = Annotated[float, Field(ge=0, le=1)]
IS_FILE, IS_FOLDER = "file", "folder"
"""Annotations of a source's paths (`Annotated[Path, IS_FILE]`), which must exist before a build starts. A path without
one may be a file or a folder."""


_NAMED = ("fields", "choices")
_WITHIN = ("schema", "items_schema", "keys_schema", "values_schema", "definitions", *_NAMED)
"""Keys of a core schema under which there are others: https://docs.pydantic.dev/latest/api/pydantic_core_schema."""


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "a number")
    return value


def _numbers_only(schema: Any) -> Any:
    """A core schema that refuses true and false wherever it asks for a number: pydantic takes them for 1 and 0."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_numbers_only, schema))
    if not isinstance(schema, dict):
        return schema
    if schema["type"] in {"int", "float"}:
        return core_schema.no_info_before_validator_function(_no_truth, cast("CoreSchema", schema))
    if schema["type"] == "function-before" and schema["function"]["function"] is _no_truth:
        return schema
    parts = {key: schema[key] for key in _WITHIN if key in schema}
    return schema | {
        key: {name: _numbers_only(one) for name, one in part.items()}
        if key in _NAMED and isinstance(part, dict)
        else _numbers_only(part)
        for key, part in parts.items()
    }


class Section(BaseModel):
    """Base of all sections. Unknown keys and non-finite numbers are refused, and defaults are validated.

    The docstring of a key is its description in the JSON Schema (`geoscribe config schema`) and in docs/build-file.md.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,  # a region named 75001
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cast("CoreSchema", _numbers_only(handler(source)))
