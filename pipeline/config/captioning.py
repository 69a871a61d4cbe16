"""The sections of those who write the descriptions, and of the checks on what they wrote: `pipeline.captioning`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Name, Section, Share
from pipeline.config.sources import EnvName, Url


class Composer(Section):
    """Descriptions from the cues alone, without a model."""

    engine: Literal["composer"] = "composer"
    prompt_set: Name = "composer-en-1"
    """Folder under `prompts/` with the composer's words."""
    long_tokens: Annotated[int, Field(ge=77, le=300)] = 300
    short_tokens: Annotated[int, Field(ge=20, le=77)] = 77


class Serve(Section):
    """How `geoscribe serve` starts vLLM; see https://docs.vllm.ai/en/latest/cli/serve/."""

    weights: str | None = None
    """Folder, or name on the hub; the captioner's `model` if left out."""
    max_model_len: Annotated[int, Field(ge=1_024, le=1_000_000)] = 16_384
    max_num_seqs: Annotated[int, Field(ge=1, le=4_096)] = 64
    max_queued: Annotated[int, Field(ge=1, le=100_000)] = 1_024
    """Requests that wait; more are answered 503."""
    data_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    tensor_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    gpu_memory: Annotated[float, Field(gt=0.05, le=1)] = 0.9
    """Share of a GPU's memory."""
    extra: list[str] = []
    """Further arguments, as they are."""


class Verifier(Section):
    """Another model that judges what the first one wrote, on servers of its own."""

    model: str
    """Name that the server serves it under."""
    revision: str | None = None
    endpoints: Annotated[list[Url], Field(min_length=1)]
    key_env: EnvName | None = None
    at_once: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Requests in flight to one server."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0


class Dialogue(Section):
    """Descriptions by a vision-language model on an OpenAI-compatible server, in progressive turns."""

    engine: Literal["dialogue"]
    prompt_set: Name = "progressive-en-2"
    model: str
    """Name that the server serves it under."""
    revision: str | None = None
    """Of the weights; stands in every row."""
    endpoints: Annotated[list[Url], Field(min_length=1)] = ["http://127.0.0.1:8000/v1"]
    """Servers of the same model. http is for this machine and for networks of your own."""
    key_env: EnvName | None = None
    at_once: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Requests in flight to one server: 2 to 4 times its `max_num_seqs` keep it busy."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.4
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    reply_tokens: Annotated[int, Field(ge=64, le=8_192)] = 1_024
    """Of one reply."""
    view_pixels: Annotated[int, Field(ge=3_136, le=16_000_000)] = 602_112
    """A street view is scaled down to so many pixels (768 of the model's 28 x 28 patches)."""
    chip_pixels: Annotated[int, Field(ge=3_136, le=16_000_000)] = 200_704
    most_views: Annotated[int, Field(ge=1, le=8)] = 4
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    reply_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 600.0
    """Longer than a full queue takes."""
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    long_tokens: Annotated[int, Field(ge=77, le=300)] = 300
    short_tokens: Annotated[int, Field(ge=20, le=77)] = 77
    verifier: Verifier | None = None
    """Judges the claims; the same model with another seed if left out."""
    serve: Serve = Serve()


class VerifierFloor(Section):
    """How bad the verifier may be, by the controls that it is given. A build whose verifier is worse stops (exit 3)."""

    false_accept: Share = 0.2
    """Share of the false controls that it may accept."""
    false_refuse: Share = 0.5
    """Share of the true controls that it may refuse."""
    least_controls: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Of either sort, before it is judged at all."""


class Grounding(Section):
    """What a description must satisfy, whoever wrote it: `pipeline.captioning.grounding`."""

    level: Literal["lenient", "witnessed", "strict"] = "witnessed"
    """`lenient`: a sentence goes where a witness contradicts one of its claims. `witnessed`: also where nobody but its
    writer witnesses a claim. `strict`: also where a claim about lettering, names, numbers or the map has the verifier
    for its only witness."""
    names: Literal["legible", "mapped"] = "mapped"
    """Which proper names of shops and places may stand in a text: only those read off a picture, or also those on the
    map within `names_within_m`. Streets, districts, cities and countries must be legible in either case."""
    names_within_m: Annotated[float, Field(gt=0, le=1_000)] = 80.0
    text_likeness: Share = 0.8
    """A quoted string rests on a sign that was read if the letters of the two are at least so alike. Digits must be the
    same."""
    least_words: Annotated[int, Field(ge=1, le=100)] = 12
    """Of a long description."""
    most_repeated: Share = 0.3
    """Largest share of a description's trigrams that may be repeats."""
    most_contradicted: Share = 0.5
    """Of a description's claims. Above it nothing of the description is published."""
    controls: Annotated[int, Field(ge=0, le=30)] = 8
    """False statements put to the verifier with the claims of each site; and a third as many true ones."""
    believed_above: Share = 0.7
    """Share of a site's own controls that a verifier must judge rightly to be believed there."""
    verifier_floor: VerifierFloor = VerifierFloor()


CaptionerConfig = Annotated[Composer | Dialogue, Field(discriminator="engine")]
