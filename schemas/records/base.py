"""Base classes of all records, encoded pictures, and numbers with limits."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.reasons import Reason

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Heading = Annotated[float, Field(ge=0, lt=360)]
Float32 = Annotated[float, "float32"]
"""A number that is stored in four bytes (`schemas.arrow`)."""
Status = Literal["ok", "failed", "chips_only"]


class Record(BaseModel):
    """Base of all records. They are immutable and refuse unknown fields."""

    # A limit on texts, of which Arrow takes 2 GiB, makes pydantic refuse lone surrogates too: no file could hold them.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, str_max_length=2**31 - 1)


class Image(Record):
    """An encoded picture, in the form of the Image feature of `datasets`."""

    bytes: bytes
    """The encoded picture: JPEG or PNG."""
    path: str
    """File name, for readers that write the picture to disk."""


class LayerRow(Record):
    """The fields that every row of every layer has."""

    layer: ClassVar[str]
    """Name of the layer."""

    site_id: str
    """Id of the site."""
    status: Status
    """Whether the stage succeeded for this site; `chips_only` for a distractor that has its chips: no later stage takes
    it up."""
    reason: Reason | None
    """Reason code of a failed site; null otherwise."""
    detail: str | None
    """Details of the failure, in words, if the site failed."""
