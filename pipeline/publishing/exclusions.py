"""Reasons why publishing leaves finished sites out, and `excluded.parquet`, which lists these sites."""

from collections.abc import Sequence
from enum import StrEnum

from schemas.records import AnySplit, Latitude, Longitude, Record


class Exclusion(StrEnum):
    """Why a finished site is not published. Nothing is wrong with it."""

    NEAR_DUPLICATE = "near_duplicate"
    AERIAL_DUPLICATE = "aerial_duplicate"
    TEXT_DUPLICATE = "text_duplicate"
    FOOTPRINT_DUPLICATE = "footprint_duplicate"
    SPLIT_EMBARGO = "split_embargo"
    SEQUENCE_EMBARGO = "sequence_embargo"
    PHOTO_EMBARGO = "photo_embargo"
    AUDIT_REJECTED = "audit_rejected"


MEANINGS: dict[Exclusion, str] = {
    Exclusion.NEAR_DUPLICATE: "a site of another unit shows nearly the same picture",
    Exclusion.AERIAL_DUPLICATE: "a site of another unit has nearly the same aerial chip",
    Exclusion.TEXT_DUPLICATE: "a site of another unit has nearly the same description",
    Exclusion.FOOTPRINT_DUPLICATE: "the chip of a site of another unit covers nearly the same ground",
    Exclusion.SPLIT_EMBARGO: "too near to a site of another split",
    Exclusion.SEQUENCE_EMBARGO: "of one capture sequence with a site of another split",
    Exclusion.PHOTO_EMBARGO: "shares a photo with a site of another split",
    Exclusion.AUDIT_REJECTED: "rejected by a person who judged it",
}


class Excluded(Record):
    """A row of `excluded.parquet`: a finished site that is not published."""

    sample_id: str
    """Id of the site."""
    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit."""
    lat: Latitude
    """Latitude of the site, degrees."""
    lon: Longitude
    """Longitude of the site, degrees."""
    split: AnySplit | None
    """Split of its unit; null for a duplicate, which is left out before splits are drawn."""
    reason: str
    """Why: one of `Exclusion`."""
    survivor: str
    """Id of the site that it gave way to. That site may itself have given way to another, for another reason.
    Empty where a person rejected it."""


def counted(rows: Sequence[Excluded]) -> dict[str, int]:
    """Number of sites by reason, all reasons included."""
    return {str(reason): sum(row.reason == reason for row in rows) for reason in Exclusion}
