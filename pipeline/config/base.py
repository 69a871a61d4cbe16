"""What every section of a build file is made of."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DateText = Annotated[str, BeforeValidator(_as_text)]
"""A date or moment as ISO 8601 text; YAML readers make a `date` or `datetime` of what stands without quotes."""
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys and non-finite numbers are refused, defaults are validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
