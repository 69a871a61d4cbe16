"""Search a dataset with a model, and report the result of re-ranking."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.digest import digest
from tools.metrics.intervals import Estimate, rate
from tools.retrieval.checkpoint import Trained
from tools.retrieval.data.index import Index
from tools.retrieval.data.pictures import TURNED_SHARE, picture
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import REFERENCES, Reference
from tools.retrieval.data.texts import text_columns, text_of
from tools.retrieval.encode import encode, model_encoders
from tools.retrieval.explain.rerank import Candidate, Query, Reranked

SHOWN_PX = 392
"""Side of a chip as a vision-language model is shown it: 14 of its patches of 28 pixels."""


def first_chips(trained: Trained, index: Index, reference: Reference, *, top: int, most: int) -> list[Query]:
    """Search with texts and return the first chips of each, best first.

    Args:
        trained: the model that searches.
        index: the gallery; its rows with a text are the queries.
        reference: which chips.
        top: how many for each text.
        most: how many texts; chosen by a hash of their ids, if there are more.
    """
    text, pictures = model_encoders(trained.model, trained.device, (reference,))
    vectors = encode(index, trained.wanted, text, pictures)
    shown = vectors[reference]
    asked = sorted(np.flatnonzero(index.texts).tolist(), key=lambda row: digest("rerank", index.ids[row]))[:most]
    scores = vectors["text"].rows_of(index.ids[asked].tolist(), "texts") @ shown.vectors.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    place = {sample_id: row for row, sample_id in enumerate(index.ids.tolist())}
    wanted = sorted({*asked, *(place[shown.ids[at]] for at in order.ravel().tolist())})
    columns = [*text_columns(trained.wanted.text), f"{reference}.bytes"]
    (found,) = RowReader(index, columns).read([np.array(wanted, dtype=np.int64)])
    rows = dict(zip(wanted, found, strict=True))

    def candidate(query: int, at: int) -> Candidate:
        row = place[shown.ids[at]]
        turn = index.turn_deg(row) if trained.wanted.heading_up else None
        pixels = picture(rows[row][reference]["bytes"], SHOWN_PX, turn)
        return Candidate(shown.ids[at], float(scores[query, at]), pixels)

    return [
        Query(
            str(index.ids[row]),
            text_of(trained.wanted.text, rows[row]),
            tuple(candidate(number, at) for at in order[number].tolist()),
        )
        for number, row in enumerate(asked)
    ]


def shown_metres(trained: Trained, index: Index, reference: Reference) -> int:
    """Width on the ground of a chip as the model sees it."""
    side = float(np.nanmedian(index.side_m[reference]))
    turned = trained.wanted.heading_up and reference in REFERENCES and not index.heading_up
    return round(side * (TURNED_SHARE if turned else 1.0))


def first_right(found: Iterable[Reranked]) -> tuple[Estimate | None, Estimate | None]:
    """Share of queries whose own chip is first, before and after re-ranking, with intervals."""
    before = after = count = 0
    for one in found:
        ids = [candidate.sample_id for candidate in one.query.candidates]
        count += 1
        before += bool(ids) and ids[0] == one.query.sample_id
        after += bool(ids) and ids[one.order[0]] == one.query.sample_id
    return rate(before, count), rate(after, count)


def as_lines(found: Sequence[Reranked]) -> str:
    """Format as JSON Lines: each query with its candidates in the new order, their confidence and reasons."""
    lines = []
    for one in found:
        ranked = [(place, one.query.candidates[place], one.judgements[place]) for place in one.order]
        candidates = [
            {
                "sample_id": candidate.sample_id,
                "rank_before": place + 1,
                "similarity": round(candidate.similarity, 5),
                "confidence": None if judgement is None else judgement.confidence,
                "reasons": [] if judgement is None else judgement.reasons,
            }
            for place, candidate, judgement in ranked
        ]
        content = {"sample_id": one.query.sample_id, "text": one.query.text, "fault": one.fault}
        lines.append(json.dumps(content | {"candidates": candidates}, ensure_ascii=False))
    return "\n".join(lines) + "\n"
