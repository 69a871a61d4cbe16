"""Types that all sections of a build file share."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DateText = Annotated[str, BeforeValidator(_as_text)]
"""A date or moment as ISO 8601 text; YAML readers make a `date` or `datetime` of what stands without quotes."""
Share = Annotated[float, Field(ge=0, le=1)]
IS_FILE, IS_FOLDER = "file", "folder"
"""Annotations of a source's paths (`Annotated[Path, IS_FILE]`), which must exist before a build starts. A path without
one may be a file or a folder."""


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
