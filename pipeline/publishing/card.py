"""The dataset card: `README.md` with the YAML header that Hugging Face reads, from the template beside this file."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.config.sources import KINDS
from pipeline.publishing.card_facts import funnel, prompts
from pipeline.publishing.distractors import split_of_file
from pipeline.publishing.exclusions import MEANINGS
from pipeline.publishing.layout import CONFIGS, card_features
from pipeline.publishing.manifest import Counts, FileEntry, ShardEntry, VerifierRate
from pipeline.publishing.splits import ALIASES, SPLITS
from pipeline.publishing.tables import ATTRIBUTION, EXCLUDED, TABLES
from pipeline.quantity import quantity
from schemas.licences import CLASSES, hub_licences, licence_class
from schemas.reasons import EXPLANATIONS
from schemas.records import Split

_SIZES = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
]


def render(
    build: Build,
    counts: Counts,
    shards: list[ShardEntry],
    *,
    folder: str,
    distractors: Sequence[FileEntry] = (),
    models: JsonValue = None,
    audit: JsonValue = None,
) -> str:
    """The card's text. Same arguments, same text.

    Args:
        build: the build.
        counts: what was published.
        shards: the shards.
        folder: the revision's, with a slash at its end.
        distractors: the files of distractors.
        models: the models that found objects, each as `ModelInUse.credit` describes it.
        audit: what became of people's decisions; None where the build file names none.
    """
    yaml_header = yaml.safe_dump(
        header(build, counts, shards, distractors, folder), sort_keys=False, allow_unicode=True
    )
    return _template().render(
        header=Markup(yaml_header),  # noqa: S704 - YAML has its own quoting
        build=build,
        counts=counts,
        shards=len(shards),
        megabytes=round(sum(shard.bytes for shard in shards) / 1e6, 1),
        splits=_filled(counts),
        empty=[split for split in SPLITS if getattr(build.publish.splits, split) and not counts.splits.get(split)],
        exclusions={str(reason): meaning for reason, meaning in MEANINGS.items()},
        funnel=funnel(counts),
        prompts=prompts(counts),
        folder=folder,
        models=models or [],
        audit=audit,
        licences=[
            (source, licence, licence_class([licence]), count)
            for source, by_licence in counts.pictures.items()
            for licence, count in by_licence.items()
        ],
        classes=CLASSES,
        agreements=_agreements(build),
        explanations={str(reason): text for reason, text in EXPLANATIONS.items()},
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        finalize=_escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = Markup  # our own names, in a code span
    environment.filters["rate"] = _rate
    environment.filters["quantity"] = quantity
    environment.filters["indented"] = _indented
    return environment.get_template("card.md.jinja")


def header(
    build: Build, counts: Counts, shards: list[ShardEntry], distractors: Sequence[FileEntry], folder: str
) -> dict[str, Any]:
    """The card's YAML header (https://huggingface.co/docs/hub/datasets-cards)."""
    licences = hub_licences({licence for by_licence in counts.pictures.values() for licence in by_licence})
    sizes: Counter[str] = Counter()
    for shard in shards:
        sizes[shard.split] += shard.bytes
    files = _data_files((shard.split, shard.path) for shard in shards)
    bytes_total = sizes.total()
    return {
        "pretty_name": build.publish.title,
        "license": licences,
        **({"license_name": "by-picture", "license_link": folder + ATTRIBUTION.file} if "other" in licences else {}),
        "language": sorted(counts.languages),
        "task_categories": ["image-to-text", "text-retrieval"],
        "tags": ["geo-localization", "cross-view-retrieval", "street-view", "aerial"]
        + (["synthetic"] if counts.synthetic else []),
        "size_categories": [next((name for limit, name in _SIZES if counts.published < limit), "100M<n<1B")],
        "configs": [
            {"config_name": "default", "data_files": files},
            *({"config_name": name, "data_files": files, "columns": list(part)} for name, part in CONFIGS.items()),
            *(
                {"config_name": kind.name, "data_files": [{"split": kind.name, "path": folder + kind.file}]}
                for kind in TABLES
            ),
            *(
                [
                    {
                        "config_name": "distractors",
                        "data_files": _data_files((split_of_file(file.path), file.path) for file in distractors),
                    }
                ]
                if distractors
                else []
            ),
            {"config_name": "excluded", "data_files": [{"split": "excluded", "path": folder + EXCLUDED}]},
        ],
        "dataset_info": {
            "config_name": "default",
            "features": card_features(),
            "splits": [
                {"name": name, "num_bytes": sizes[split], "num_examples": counts.splits[split]}
                for split in _filled(counts)
                for name in _names(split)
            ],
            "download_size": bytes_total,
            "dataset_size": bytes_total,
        },
    }


def _agreements(build: Build) -> list[str]:
    """The agreements that the build states with sources whose terms forbid datasets."""
    sections = [(name, section) for kind in KINDS for name, section in getattr(build.sources, kind).items()]
    stated = [(name, getattr(section, "separate_agreement", None)) for name, section in sections]
    return [f"{name}: used under a separate agreement: {words}" for name, words in stated if words]


def _names(split: Split) -> tuple[str, ...]:
    """The names that a split can be loaded by: `val` is `validation` as well, the same files."""
    return (split, *ALIASES.get(split, ()))


def _data_files(paths: Iterable[tuple[str | None, str]]) -> list[dict[str, Any]]:
    """The header's list of files, given with their splits.

    Each file by its own name and not by a pattern: files of another revision stand in the same folder.
    """
    found: dict[str | None, list[str]] = {}
    for split, path in paths:
        found.setdefault(split, []).append(path)
    return [{"split": name, "path": found[split]} for split in SPLITS if split in found for name in _names(split)]


def _filled(counts: Counts) -> list[Split]:
    return [split for split in SPLITS if counts.splits.get(split)]


def _rate(rate: VerifierRate) -> str:
    share = rate.share
    return "" if share is None else f"{share:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def _indented(text: str) -> Markup:
    """A file of ours as a block of code, which nothing in it can end."""
    return Markup("".join(f"    {line}\n" for line in text.splitlines()))  # noqa: S704 - code blocks are literal


def _escaped(value: Any) -> Any:
    """Text from outside as Markdown text: on one line, with no character that Markdown or HTML would act on."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", " ".join(value.split()))
    return value
