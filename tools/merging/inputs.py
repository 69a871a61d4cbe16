"""The datasets to merge: what they have to have in common, and what they may not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from pipeline.config.build import Build, source_name
from pipeline.config.sources import KINDS
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.rewrite import build_of, check_current, distractor_rows
from tools.dataset import Dataset

_SHOWN = 3


def check_inputs(datasets: Sequence[Dataset]) -> None:
    """Refuse datasets that cannot become one.

    Raises:
        ConfigError: fewer than two, two of one name, an older format, chips of several kinds, one region defined
            twice, a sample that two of them have, or one that another of them took down.
    """
    if len(datasets) < 2:
        raise ConfigError([Problem("DATASET", f"{len(datasets)}", "two datasets or more")])
    for dataset in datasets:
        check_current(dataset.manifest, dataset.store.url)
    problems = [*_same_names(datasets), *_chips(datasets), *_regions(datasets), *_ids(datasets), *_taken_down(datasets)]
    if problems:
        raise ConfigError(problems)


def merged_build(name: str, datasets: Sequence[Dataset]) -> Build:
    """The settings of the merged dataset: the first one's, with the regions and sources of all.

    Of two sources with one name and different settings, the later one is called BUILD-NAME; rows keep what they say.

    Raises:
        ConfigError: the name is none, or a manifest's settings are those of another version.
    """
    builds = [build_of(dataset.manifest) for dataset in datasets]
    settings = builds[0].model_dump(mode="json")
    sources: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    regions: dict[str, dict[str, Any]] = {}
    for build in builds:
        own = build.model_dump(mode="json")
        names = {kind: _placed(build.name, own["sources"][kind], sources[kind]) for kind in KINDS}
        for region, told in zip(build.regions, own["regions"], strict=True):
            told |= {kind: names[kind].get(source_name(build, region, kind) or "") for kind in KINDS}
            told["sampling"] = told["sampling"] or own["sampling"]
            told["perception"] = told["perception"] or {"ocr": own["perception"]["ocr"]}
            if build.captioner.engine == builds[0].captioner.engine:
                told["captioner"] = told["captioner"] or {"prompt_set": build.captioner.prompt_set}
            regions.setdefault(region.name, told)
    settings |= {"sources": sources, "regions": list(regions.values())}
    try:
        return Build.model_validate(settings | {"name": name})
    except ValueError as error:
        allowed = "lower-case letters, digits and hyphens"
        raise ConfigError([Problem("--name", repr(name), allowed)]) from error


def _placed(build: str, own: dict[str, Any], all_: dict[str, Any]) -> dict[str, str]:
    """Put a build's sources of a kind beside those of others; returns their names there."""
    names = {}
    for name, source in own.items():
        names[name] = name if all_.get(name, source) == source else f"{build}-{name}"
        all_[names[name]] = source
    return names


def _same_names(datasets: Sequence[Dataset]) -> Iterator[Problem]:
    for name, count in Counter(dataset.manifest.name for dataset in datasets).items():
        if count > 1:
            yield Problem("DATASET", f"{count} datasets of the build {name!r}", "one dataset of each build")


def _chips(datasets: Sequence[Dataset]) -> Iterator[Problem]:
    of = [build_of(dataset.manifest).imagery.chips for dataset in datasets]
    chips = {(c.size_px, c.gsd_m, c.orientation, c.map_scale) for c in of}
    if len(chips) > 1:
        found = ", ".join(
            f"{size} px of {gsd:g} m, {orientation}, map scale {scale}"
            for size, gsd, orientation, scale in sorted(chips)
        )
        allowed = "datasets with chips of one size, scale and orientation (imagery.chips)"
        yield Problem("DATASET", f"chips of {found}", allowed)


def _regions(datasets: Sequence[Dataset]) -> Iterator[Problem]:
    seen: dict[str, tuple[str, Any]] = {}
    for dataset in datasets:
        for region in build_of(dataset.manifest).regions:
            shape = (region.bbox, region.centre, region.radius_m, region.polygon)
            name, known = seen.setdefault(region.name, (dataset.manifest.name, shape))
            if known != shape:
                found = f"{region.name!r} of {name} and of {dataset.manifest.name}, which are different areas"
                yield Problem("region", found, "regions of different names, or the same area")


def _ids(datasets: Sequence[Dataset]) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for dataset in datasets:
        twice = []
        for row in dataset.rows(["sample_id"]):
            other = owner.setdefault(row["sample_id"], dataset.manifest.name)
            if other != dataset.manifest.name:
                twice.append((row["sample_id"], other))
        if twice:
            found = f"{len(twice)} samples of {dataset.manifest.name} that {twice[0][1]} has too"
            found += f" ({', '.join(sample for sample, _ in twice[:_SHOWN])}{' ...' if len(twice) > _SHOWN else ''})"
            yield Problem("DATASET", found, "datasets without a common sample; `geoscribe subset` takes part of one")


def _taken_down(datasets: Sequence[Dataset]) -> Iterator[Problem]:
    gone = {one: dataset.manifest.name for dataset in datasets for one in dataset.manifest.removed}
    for dataset in datasets if gone else ():
        name = dataset.manifest.name
        chips = (row for _, row in distractor_rows(dataset.store, dataset.manifest, ("sample_id",)))
        there = [row["sample_id"] for row in chain(dataset.rows(["sample_id"]), chips)]
        still = [one for one in there if gone.get(one, name) != name]
        if still:
            found = f"{len(still)} samples of {name} that {gone[still[0]]} took down"
            found += f" ({', '.join(still[:_SHOWN])}{' ...' if len(still) > _SHOWN else ''})"
            allowed = "datasets without them: `geoscribe publish DATASET --revise` with that take-down list"
            yield Problem("DATASET", found, allowed)
