"""Compare variants of a training side by side: without names, with short text, untrained.

Each row of a study is a training file with some keys replaced, trained with several seeds, each chosen on its val rows
and then tested once, on rows that none of them was trained on or chosen by.
"""

import multiprocessing
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pipeline.config.base import Name, Section
from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from tools.retrieval.data.index import Index
from tools.retrieval.data.select import Reference, Selection
from tools.retrieval.evaluate.figures import RECALL_AT, Figure, figures, mean_figure, share_figure
from tools.retrieval.evaluate.protocol import LEAST_OVERLAP
from tools.retrieval.train.config import parse_retrieval


class Study(Section):
    """The file of a study."""

    name: Name
    out: Path
    """Folder for the runs."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    at_once: Annotated[int, Field(ge=1, le=64)] = 1
    """Trainings at a time, each with one thread."""
    references: Annotated[tuple[Reference, ...], Field(min_length=1)] = ("aerial",)
    """View that is searched in the test."""
    test: Selection
    blocks: Annotated[int, Field(ge=4, le=12)] = 7
    """H3 resolution of the blocks that intervals are resampled over."""
    base: dict[str, Any]
    """A training file without name and run."""
    rows: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    """By the row's name: keys of the training file that are other than in `base`."""


@dataclass(frozen=True)
class Tested:
    """One training's ranks of the test queries, by reference, and its R@10 on val by epoch."""

    queries: dict[Reference, list[str]]
    ranks: dict[Reference, list[float]]
    chance: dict[Reference, dict[str, float]]
    gallery: dict[Reference, int]
    blocks: dict[Reference, list[int]]
    curve: list[tuple[int, float]]


@dataclass(frozen=True)
class Row:
    """A row of the study's table: figures over all seeds, by reference."""

    name: str
    figures: dict[Reference, list[Figure]]
    """R@1, R@5, R@10; a query counts with the mean of its hits over the seeds."""
    spread: dict[Reference, tuple[float, float]]
    """Least and largest R@10 of a single seed."""
    beyond: dict[Reference, Figure]
    """R@10 less that of the first row, query by query. Empty for the first row, and where rows have other queries."""
    gallery: dict[Reference, int]
    queries: dict[Reference, int]
    curve: list[tuple[int, float]]


def load_study(path: Path) -> Study:
    """Read a study's file. Relative paths in it are taken from its own folder.

    Raises:
        ConfigError: naming the keys that are wrong, in the study or in a row's training file.
    """
    try:
        study = Study.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError([Problem(str(path), error.strerror or str(error), "a readable YAML file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), " ".join(str(error).split()), "valid YAML in UTF-8")]) from error
    except ValidationError as error:
        details = [(".".join(str(part) for part in d["loc"]), d["msg"]) for d in error.errors()]
        raise ConfigError([Problem(where, "a value that cannot be", said) for where, said in details]) from error
    for name in study.rows:
        try:
            parse_retrieval(_raw(study, name, study.seeds[0]), path.parent)
        except ConfigError as error:
            raise ConfigError(
                [Problem(f"rows.{name}.{p.where}", p.found, p.allowed) for p in error.problems]
            ) from error
    return study.model_copy(update={"out": (path.parent / study.out).resolve()})


def run_study(study: Study, base: Path) -> list[Row]:
    """Train and test all rows with all seeds. Finished trainings are not repeated.

    Args:
        study: what to compare.
        base: folder that relative paths of the training files are taken from.

    Raises:
        ConfigError, MachineError: as a training raises them.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(study.at_once, mp_context=context) as pool:
        waiting = {name: [pool.submit(_one, study, name, seed, base) for seed in study.seeds] for name in study.rows}
        tested = {name: [future.result() for future in futures] for name, futures in waiting.items()}
    first = next(iter(tested.values()))
    return [_row(name, them, first) for name, them in tested.items()]


def _raw(study: Study, name: str, seed: int) -> dict[str, Any]:
    run = study.out / f"{name}-{seed}".replace(" ", "-")
    own = {"name": study.name, "run": str(run), "train": {"seed": seed}}
    return _merged(_merged(study.base, study.rows[name]), own)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in changes.items():
        inner = both.get(key)
        both[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


def _one(study: Study, name: str, seed: int, base: Path) -> Tested:
    """Train and test one model, in its own process."""
    from pipeline.geo.overlaps import find_overlaps
    from tools.retrieval.checkpoint import load_trained
    from tools.retrieval.data.index import read_index
    from tools.retrieval.encode import encode, model_encoders
    from tools.retrieval.evaluate.dataset import gallery_of
    from tools.retrieval.evaluate.ranking import rank
    from tools.retrieval.torch_parts import torch
    from tools.retrieval.train.log import read_log
    from tools.retrieval.train.setup import training_rows
    from tools.retrieval.train.state import BEST
    from tools.retrieval.train.trainer import train

    torch.set_num_threads(1)
    config = parse_retrieval(_raw(study, name, seed), base)
    index = read_index(
        config.data.datasets, study.test, views=study.references, heading_up=config.data.heading_up,
        text=config.data.text,
    )  # fmt: skip
    _unseen(index.ids.tolist(), training_rows(config))
    train(config)
    trained = load_trained(config.run / BEST, "cpu")
    text, pictures = model_encoders(trained.model, trained.device, study.references)
    vectors = encode(index, trained.wanted, text, pictures)
    found: dict[str, dict[Reference, Any]] = {key: {} for key in ("queries", "ranks", "chance", "gallery", "blocks")}
    for reference in study.references:
        gallery = gallery_of(index, reference, block_resolution=study.blocks)
        near = gallery.overlaps if gallery.overlaps is not None else find_overlaps(gallery.chips)
        place = {chip: at for at, chip in enumerate(gallery.ids)}
        own = np.array([place[query] for query in gallery.queries], dtype=np.int64)
        asked = vectors["text"].rows_of(gallery.queries, "texts")
        shown = vectors[reference].rows_of(gallery.ids, "chips")
        ranks = rank(asked, shown, own, gallery.chips, near.above(LEAST_OVERLAP))
        measured = figures("test", "all", ranks, "ignored", own, gallery.chips, gallery.blocks)
        found["queries"][reference] = list(gallery.queries)
        found["ranks"][reference] = ranks.ignored.tolist()
        found["chance"][reference] = {figure.name: figure.chance for figure in measured.figures}
        found["gallery"][reference] = measured.gallery
        found["blocks"][reference] = np.unique(gallery.blocks, return_inverse=True)[1].tolist()
    reference = study.references[0]
    curve = [
        (line["epochs"], line["figures"][reference]["R@10"]) for line in read_log(config.run) if line["kind"] == "val"
    ]
    return Tested(**found, curve=curve)


def _unseen(tested: list[str], seen: Iterable[Index]) -> None:
    shared = {sample_id for index in seen for sample_id in index.ids.tolist()}.intersection(tested)
    if shared:
        found = f"{len(shared)} rows that are trained on or that choose the weights, such as {min(shared)}"
        raise ConfigError([Problem("test", found, "rows of another split or region")])


def _row(name: str, tested: list[Tested], first: list[Tested]) -> Row:
    one = tested[0]
    found, spread, beyond = {}, {}, {}
    for reference in one.ranks:
        ranks, blocks = _ranks(tested, reference), np.array(one.blocks[reference], dtype=np.int64)
        chance = one.chance[reference]
        found[reference] = [
            share_figure(f"R@{k}", (ranks <= k).mean(axis=0), blocks, chance[f"R@{k}"]) for k in RECALL_AT
        ]
        each = (ranks <= RECALL_AT[-1]).mean(axis=1)
        spread[reference] = (float(each.min()), float(each.max()))
        if tested is not first and one.queries[reference] == first[0].queries[reference]:
            gained = (ranks <= RECALL_AT[-1]).mean(axis=0) - (_ranks(first, reference) <= RECALL_AT[-1]).mean(axis=0)
            beyond[reference] = mean_figure(f"R@{RECALL_AT[-1]}", gained, blocks, 0.0)
    epochs = [epoch for epoch, _ in one.curve]
    heights = np.array([[value for _, value in run.curve] for run in tested]).mean(axis=0).tolist()
    queries = {reference: len(ids) for reference, ids in one.queries.items()}
    return Row(name, found, spread, beyond, one.gallery, queries, list(zip(epochs, heights, strict=True)))


def _ranks(tested: list[Tested], reference: Reference) -> NDArray[np.float64]:
    return np.array([one.ranks[reference] for one in tested])
