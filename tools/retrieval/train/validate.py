"""Validate a model: the figures that decide which weights are kept."""

from typing import Any

import numpy as np

from pipeline.geo.overlaps import Chips, find_overlaps
from tools.retrieval.data.batches import Input
from tools.retrieval.data.index import Index
from tools.retrieval.data.select import REFERENCES, View
from tools.retrieval.encode import encode, model_encoders
from tools.retrieval.evaluate.protocol import LEAST_OVERLAP
from tools.retrieval.evaluate.ranking import rank


def validate(
    model: Any, index: Index, wanted: Input, device: str, views: tuple[View, ...]
) -> dict[str, dict[str, float]]:
    """Compute figures by view: text against all val chips, without those that overlap the own one.

    `R@1`, `R@5`, `R@10`, `MRR`, `median rank`, and `gallery`, of how many chips. A street view or panorama counts as
    lying where its site does.
    """
    was_training = model.training
    model.eval()
    text, pictures = model_encoders(model, device, views)
    found = encode(index, wanted, text, pictures)
    model.train(was_training)
    row = {sample_id: at for at, sample_id in enumerate(index.ids.tolist())}
    figures: dict[str, dict[str, float]] = {}
    for view in views:
        if view not in found:
            continue
        rows = np.array([row[sample_id] for sample_id in found[view].ids], dtype=np.int64)
        side = index.side_m[view] if view in REFERENCES else np.zeros(len(index))
        chips = Chips(index.lat[rows], index.lon[rows], side[rows])
        if view in REFERENCES and index.overlaps is not None:
            near = index.overlaps.among(rows).above(LEAST_OVERLAP)
        else:
            near = find_overlaps(chips, LEAST_OVERLAP)
        queries = found["text"].rows_of(found[view].ids, "val texts")
        ranks = rank(queries, found[view].vectors, np.arange(len(rows)), chips, near).ignored
        shares = {f"R@{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
        rest = {"MRR": float((1 / ranks).mean()), "median rank": float(np.median(ranks)), "gallery": float(len(rows))}
        figures[view] = shares | rest
    return figures
