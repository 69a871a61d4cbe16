"""Sections `limits` and `assumptions`: how a build runs, and the figures that its plan rests on."""

from typing import Annotated

from pydantic import Field

from pipeline.config.base import Section, Share


class Limits(Section):
    """How the build runs. Nothing here changes the output."""

    allowed_failed_share: Share = 0.2
    """A build whose share of failed sites is greater ends with exit code 1."""
    allowed_missing_share: Share = 0.5
    """A build ends with exit code 1 if a greater share of one view (aerial, drone or map) is missing."""
    outage_wait_s: Annotated[float, Field(ge=0, le=604_800)] = 900.0
    """How long a build waits for a provider, or for all model servers, that are out of order, in seconds. Then it stops
    with exit code 3; finished work is kept."""
    outage_share: Share = 0.9
    """A provider counts as out of order if a greater share of its last 50 requests failed or was refused, or if 10 in a
    row failed. 1: only the latter."""
    workers: Annotated[int, Field(ge=1, le=256)] = 4
    """Number of units that each stage processes at once, or worker processes of a Dask cluster that the build starts
    itself. Captions by a model take up as many units as fill the room of its servers (`captioner.at_once`)."""
    regions_at_once: Annotated[int, Field(ge=1, le=256)] = 32
    """Number of regions whose sites are drawn at once, where that takes a network. Each holds the list of its
    photos."""
    sites_at_once: Annotated[int, Field(ge=1, le=256)] = 16
    """Number of sites of a unit whose pictures are fetched at once, if a source is on the network."""


class Assumptions(Section):
    """Figures that `geoscribe plan` uses for its estimates. Replace them by your own measurements."""

    photo_bytes: Annotated[int, Field(ge=1_000)] = 700_000
    """Size of a street photo as the source sends it, in bytes."""
    tile_bytes: Annotated[int, Field(ge=100)] = 18_000
    """Size of an aerial tile, in bytes."""
    street_share: Share = 0.6
    """Share of sites that have a street view, where sites are not drawn at photos."""
    ocr_images_per_s: Annotated[float, Field(gt=0)] = 20.0
    """Images per second that OCR reads on one GPU."""
    model_calls_per_site: Annotated[int, Field(ge=0)] = 6
    """Model requests per site, for a captioner that uses a model."""
    model_calls_per_gpu_s: Annotated[float, Field(gt=0)] = 4.0
    """Model requests per second of one GPU."""
