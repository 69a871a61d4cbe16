"""Sections `limits` and `assumptions`: how a build runs, and the figures and prices that its plan rests on."""

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


class Prices(Section):
    """Prices for `geoscribe plan` and `run.json`. All in one currency; nothing costs anything by default."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """ISO 4217 code of the currency of all prices."""
    cpu_hour: Annotated[float, Field(ge=0)] = 0.0
    """Price of an hour of one CPU core."""
    gpu_hour: Annotated[float, Field(ge=0)] = 0.0
    """Price of an hour of one GPU."""
    gb_month: Annotated[float, Field(ge=0)] = 0.0
    """Price of storing one gigabyte for a month."""
    thousand_requests: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Price of 1,000 requests, by provider as `geoscribe plan` names it."""
    million_prompt_tokens: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that a model reads."""
    million_completion_tokens: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that a model writes."""


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
    model_calls_per_site: Annotated[int, Field(ge=0)] | None = None
    """Model requests per site, for a captioner that uses a model. If left out, the turns of the prompt set: one request
    for each photo and one for each further turn."""
    repair_share: Share = 0.1
    """Share of sites whose description is written, and verified, a second time."""
    model_calls_per_gpu_s: Annotated[float, Field(gt=0)] = 4.0
    """Model requests per second of one GPU."""
    prompt_tokens_per_call: Annotated[int, Field(ge=0)] = 4_900
    """Tokens that a model reads per request."""
    completion_tokens_per_call: Annotated[int, Field(ge=0)] = 480
    """Tokens that a model writes per request."""
    prices: Prices = Prices()
    """Prices of machines, storage, requests and tokens."""
