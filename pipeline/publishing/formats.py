"""Formats of datasets: this one, older ones that can still be read, and newer ones, which are refused."""

import json
import re
from typing import Any

import yaml

from pipeline.config.renamed import renamed
from pipeline.config.strict_yaml import parse_yaml
from pipeline.digest import digest_bytes
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.manifest import CARD, FORMAT, Manifest
from pipeline.storage import Store

SHARD_NAME_1 = r"data/(?P<split>train|val|test)/(?P<name>[a-z0-9-]+)-\d{5}-of-\d{5}\.parquet"
"""Pattern of a shard's path in format 1, whose shards were replaced in place."""
FILES_1 = r"attribution\.parquet|sample\.schema\.json"
"""Pattern of the other files of format 1, beside manifest and card."""


def format_of(data: bytes, where: str) -> int | None:
    """The number of a manifest's (or marker's) format; None where it is none.

    Raises:
        ConfigError: a newer version of geoscribe wrote it.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    said = content.get("format") if isinstance(content, dict) else None
    match = re.fullmatch(r"geoscribe-dataset-([1-9]\d{0,5})", said) if isinstance(said, str) else None
    if match is None:
        return None
    if int(match[1]) > FORMAT:
        allowed = f"up to {FORMAT}: this version of geoscribe is older than what wrote the dataset"
        raise ConfigError([Problem(where, f"format {match[1]}", allowed)])
    return int(match[1])


def read_manifest(data: bytes, where: str) -> Manifest:
    """A manifest of this format, or of an older one brought into the shape of this one, with the keys of this version.

    Raises:
        ConfigError: it is of a newer format.
        pydantic.ValidationError: it is no manifest.
    """
    if format_of(data, where) == 1:
        found = Manifest.model_validate(_from_format_1(json.loads(data)) | {"digest": digest_bytes(data)})
    else:
        found = Manifest.model_validate_json(data)
    return found.model_copy(update={"config": renamed(found.config)})


def _from_format_1(content: dict[str, Any]) -> dict[str, Any]:
    """Shards had one region each and no recipe; there was one revision, which each publish replaced."""
    shards = content.get("shards")
    if isinstance(shards, list):
        for shard in shards:
            if isinstance(shard, dict) and "region" in shard:
                shard["counts"] = {"regions": {shard.pop("region"): shard.get("rows")}}
                shard["recipe"] = ""
    return content | {"revision": 0, "previous": None}


def name_shards_in_card_1(out: Store, revision: Manifest) -> None:
    """Have the card of a dataset of format 1 name its shards one by one.

    It named them by a pattern. Shards of the next revision, put beside them, would match it.
    """
    files: dict[str, list[str]] = {}
    for shard in revision.shards:
        files.setdefault(shard.split, []).append(shard.path)
    try:
        _, header, body = out.read(CARD).decode().split("---\n", 2)
        content = parse_yaml(header)
        content["configs"][0]["data_files"] = [{"split": split, "path": paths} for split, paths in files.items()]
    except (FileNotFoundError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return  # no card that a reader could go by
    header = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    out.write(CARD, f"---\n{header}---\n{body}".encode())
