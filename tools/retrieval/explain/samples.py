"""Explain samples of a dataset: each text against its own chip."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.errors import ConfigError, Problem
from tools.metrics.intervals import Estimate, mean
from tools.retrieval.checkpoint import Trained
from tools.retrieval.data.index import Index
from tools.retrieval.data.select import View
from tools.retrieval.encode import batches
from tools.retrieval.explain.deletion import judge_picture, judge_words
from tools.retrieval.explain.page import Explained
from tools.retrieval.explain.relevance import relevance


def explain(
    trained: Trained, index: Index, view: View, sample_ids: Sequence[str], *, last: bool = False
) -> list[Explained]:
    """Compute and judge the relevance for some samples, in the order given.

    Raises:
        ConfigError: an id that is not among the rows.
    """
    row = {sample_id: at for at, sample_id in enumerate(index.ids.tolist())}
    absent = [sample_id for sample_id in sample_ids if sample_id not in row]
    if absent:
        raise ConfigError([Problem("--sample", ", ".join(absent), f"a sample of the split, such as {index.ids[0]}")])
    chosen = index.take(np.array([row[sample_id] for sample_id in sample_ids], dtype=np.int64))
    found = {}
    for batch in batches(chosen, replace(trained.wanted, views=(view,), signatures=False)):
        for at, number in enumerate(batch["row"].tolist()):
            ids, pixels = batch["text"][at], batch[view][at]
            why = relevance(trained, ids, view, pixels, last=last)
            found[number] = Explained(
                sample_id=str(chosen.ids[number]),
                pixels=pixels,
                found=why,
                words=judge_words(trained, ids, view, pixels, why, seed=number),
                picture=judge_picture(trained, ids, view, pixels, why, seed=number),
            )
    return [found[number] for number in range(len(chosen))]


def gains(explained: Sequence[Explained]) -> tuple[Estimate | None, Estimate | None]:
    """Mean gain over random orders, of words and of the picture, with intervals."""
    pictures = [one.picture.gain for one in explained if one.picture is not None]
    return mean([one.words.gain for one in explained]), mean(pictures)
