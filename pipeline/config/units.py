"""Units of the build file's keys, by their names: a length ends in `_m`, a time in `_s`."""

from typing import Any

_BY_END = [
    ("gsd_m", "m/px"), ("_m", "m"), ("_px", "px"), ("_pixels", "px"), ("_deg", "degrees"), ("bbox", "degrees"),
    ("centre", "degrees"), ("_mb", "MB"), ("_gb", "GB"), ("_bytes", "bytes"), ("_tokens", "tokens"),
    ("tokens_per_call", "tokens"), ("max_model_len", "tokens"), ("min_words", "words"), ("min_entropy", "bits"),
    ("min_duplicate_distance", "bits"), ("per_s", "1/s"), ("per_gpu_s", "1/s"), ("_s", "s"), ("per_day", "1/day"),
    ("cpu_hour", "currency"), ("gpu_hour", "currency"), ("gb_month", "currency"), ("thousand_requests", "currency"),
    ("million_prompt_tokens", "currency"), ("million_completion_tokens", "currency"),
]  # fmt: skip
"""By the end of a key; of several that match, the longest counts."""


def unit_of(key: str, value: dict[str, Any]) -> str | None:
    """The unit of a key, whose JSON Schema is given; None of what is a number of things, a share or no number."""
    kinds = {option.get("items", option).get("type", "array") for option in value.get("anyOf", [value])}
    found = [(len(end), unit) for end, unit in _BY_END if key.endswith(end)]
    return max(found)[1] if found and kinds & {"number", "integer", "array", "object"} else None
