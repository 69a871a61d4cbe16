"""Selection of rows by split, region, licence class and language."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from pipeline.config.base import Section
from schemas.records import Sample

LicenceClass = Literal["public-domain", "attribution", "share-alike", "other"]
assert get_args(LicenceClass) == get_args(Sample.model_fields["licence_class"].annotation)

Reference = Literal["aerial", "map", "drone"]
"""Views from above: what a text is held against."""
View = Literal["aerial", "map", "drone", "street", "panorama"]
VIEWS: tuple[View, ...] = get_args(View)
REFERENCES: tuple[Reference, ...] = get_args(Reference)


class Selection(Section):
    """Filters on the rows of a dataset. A filter that is left out accepts everything."""

    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    """`validation` is another name of `val`; `test` stands for `test_seen` and `test_unseen`."""
    regions: tuple[str, ...] | None = None
    not_regions: tuple[str, ...] = ()
    licences: Annotated[tuple[LicenceClass, ...], Field(min_length=1)] | None = None
    """Classes of the strictest licence in a row."""
    redistributable: bool = False
    """Only rows of which every picture may be passed on."""
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes of the texts."""
