"""Sections of the captioners, and of the checks on descriptions (`pipeline.captioning`)."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Name, Section, Share
from pipeline.config.sources import EnvName, Url


class Composer(Section):
    """Descriptions written by rules from the cues alone, without a model."""

    engine: Literal["composer"] = "composer"
    """`composer`: rules, no model."""
    prompt_set: Name = "composer-en-1"
    """Folder under `prompts/` with the composer's phrases."""
    long_tokens: Annotated[int, Field(ge=77, le=300)] = 300
    """Maximum length of the long description, in CLIP tokens."""
    short_tokens: Annotated[int, Field(ge=20, le=77)] = 77
    """Maximum length of the short description, in CLIP tokens."""
    min_seen: Annotated[int, Field(ge=0, le=10)] = 2
    """Minimum number of things to tell of that the photos show. A site with fewer fails with `too_little_to_say`."""
    min_confidence: Share = 0.5
    """Minimum confidence of an object that is told. 0.85 suits the models of `boulder-cpu.yaml`, of which two must have
    seen most things then; few labels of the default segmenter reach it."""
    max_map_share: Share = 0.34
    """Maximum share of a description's sentences that rest on the map alone."""


class Serve(Section):
    """How `geoscribe serve` starts vLLM; see https://docs.vllm.ai/en/latest/cli/serve/."""

    weights: str | None = None
    """Folder, or name on the Hugging Face hub, of the weights. If left out, the captioner's `model`."""
    max_model_len: Annotated[int, Field(ge=1_024, le=1_000_000)] = 16_384
    """Context length, in tokens."""
    max_num_seqs: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Number of sequences that the server processes at once."""
    max_queued: Annotated[int, Field(ge=1, le=100_000)] = 1_024
    """Maximum number of waiting requests; the server answers further ones with 503."""
    data_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of replicas."""
    tensor_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of GPUs per replica."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Data type of the weights."""
    gpu_memory: Annotated[float, Field(gt=0.05, le=1)] = 0.9
    """Share of a GPU's memory that the server may use."""
    extra: list[str] = []
    """Further arguments of `vllm serve`, passed on unchanged."""


class Verifier(Section):
    """Another model that judges what the first one wrote, on its own servers."""

    model: str
    """Name under which the servers serve the model."""
    revision: str | None = None
    """Revision of the weights."""
    endpoints: Annotated[list[Url], Field(min_length=1)]
    """Base URLs of servers of the same model."""
    key_env: EnvName | None = None
    """Name of the environment variable that holds the API key."""
    at_once: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Concurrent requests per server; on a server of the writer's the smaller of the two numbers holds for both."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""


class Dialogue(Section):
    """Descriptions written by a vision-language model on an OpenAI-compatible server, in several turns."""

    engine: Literal["dialogue"]
    """`dialogue`: a vision-language model."""
    prompt_set: Name = "progressive-en-2"
    """Folder under `prompts/` with the templates of the turns."""
    model: str
    """Name under which the servers serve the model."""
    revision: str | None = None
    """Revision of the weights; recorded in every row."""
    endpoints: Annotated[list[Url], Field(min_length=1)] = ["http://127.0.0.1:8000/v1"]
    """Base URLs of servers of the same model. Use http only on this machine and on networks of your own."""
    key_env: EnvName | None = None
    """Name of the environment variable that holds the API key."""
    at_once: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Concurrent requests per server, of all prompt sets and a verifier on it together; 2 to 4 times its `max_num_seqs`
    keeps it busy."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Nucleus sampling: probability mass."""
    reply_tokens: Annotated[int, Field(ge=64, le=8_192)] = 3_072
    """Maximum length of one reply, in tokens. The longest, a description with its claims, takes 900 to 1,400."""
    view_pixels: Annotated[int, Field(ge=3_136, le=16_000_000)] = 602_112
    """Street views are scaled down to this number of pixels (602,112 are 768 patches of 28 x 28)."""
    chip_pixels: Annotated[int, Field(ge=3_136, le=16_000_000)] = 200_704
    """Aerial and map chips are scaled down to this number of pixels."""
    max_views: Annotated[int, Field(ge=1, le=8)] = 4
    """Maximum number of street views that the model is shown."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Timeout for establishing a connection, in seconds."""
    reply_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 600.0
    """Timeout for a reply, in seconds; choose it longer than a full queue takes."""
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    """Maximum number of attempts per request."""
    long_tokens: Annotated[int, Field(ge=77, le=300)] = 300
    """Maximum length of the long description, in CLIP tokens."""
    short_tokens: Annotated[int, Field(ge=20, le=77)] = 77
    """Maximum length of the short description, in CLIP tokens."""
    verifier: Verifier | None = None
    """Model that judges the claims. If left out, the same model with another seed."""
    serve: Serve = Serve()
    """How `geoscribe serve` starts a server."""


class VerifierFloor(Section):
    """Limits of the verifier's errors on its controls. A build whose verifier is worse stops (exit code 3)."""

    false_accept: Share = 0.2
    """Maximum share of the false controls that it accepts."""
    false_refuse: Share = 0.5
    """Maximum share of the true controls that it refuses."""
    min_controls: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Minimum number of controls of either sort before the verifier is judged."""


class Grounding(Section):
    """Requirements of a description, whoever wrote it (`pipeline.captioning.grounding`)."""

    level: Literal["lenient", "witnessed", "strict"] = "witnessed"
    """`lenient`: a sentence is dropped if a witness contradicts one of its claims. `witnessed`: also if nobody but its
    writer witnesses a claim. `strict`: also if the verifier is the only witness of a claim about lettering, names,
    numbers or the map."""
    names: Literal["legible", "mapped"] = "mapped"
    """Which names of shops and places a description may contain: `legible`, only those read off a picture; `mapped`,
    also those on the map within `names_within_m`. Streets, districts, cities and countries must be legible in both
    cases."""
    names_within_m: Annotated[float, Field(gt=0, le=1_000)] = 80.0
    """Radius around the site for names on the map, in metres."""
    text_likeness: Share = 0.8
    """Minimum similarity of the letters of a quoted string and of the sign that supports it. Digits must be the
    same."""
    min_words: Annotated[int, Field(ge=1, le=100)] = 12
    """Minimum length of a long description, in words."""
    max_repeated: Share = 0.3
    """Maximum share of a description's trigrams that may be repetitions."""
    max_contradicted: Share = 0.5
    """Maximum share of a description's claims that may be contradicted; above it nothing of the description is
    published."""
    controls: Annotated[int, Field(ge=0, le=30)] = 8
    """Number of false statements that the verifier is given with the claims of each site, together with a third as many
    true ones."""
    believed_above: Share = 0.7
    """Minimum share of a site's own controls that a verifier must judge correctly to be believed there."""
    verifier_floor: VerifierFloor = VerifierFloor()
    """How unreliable the verifier may be."""


CaptionerConfig = Annotated[Composer | Dialogue, Field(discriminator="engine")]
