"""Build the gallery of a dataset: chips, queries, blocks and strata."""

from collections.abc import Mapping
from typing import Any

import h3
import numpy as np
from numpy.typing import NDArray

from tools.retrieval.data.index import Index
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import Reference
from tools.retrieval.data.texts import from_above, text_columns
from tools.retrieval.evaluate.protocol import Gallery

BLOCK = 7
"""H3 resolution of the cells that are resampled for intervals: 5 km2."""
_AT_ONCE = 256
_COLUMNS = list(text_columns("from_above"))


def gallery_of(index: Index, reference: Reference, *, block_resolution: int = BLOCK) -> Gallery:
    """Build a gallery from the rows of an index; rows without a text are distractors.

    Args:
        index: rows with a chip of this reference, read with `textless`.
        reference: which chips.
        block_resolution: of the H3 cells that are resampled for intervals.
    """
    rows = np.flatnonzero(~np.isnan(index.side_m[reference]))
    held = index.take(rows)
    asked = held.take(held.texts)
    blocks = [h3.latlng_to_cell(lat, lon, block_resolution) for lat, lon in zip(asked.lat, asked.lon, strict=True)]
    return Gallery(
        ids=held.ids.tolist(),
        chips=held.chips(reference),
        queries=asked.ids.tolist(),
        blocks=np.array(blocks, dtype=np.str_),
        strata=strata(asked),
        overlaps=held.overlaps,
        thin=held.thin,
    )


def strata(index: Index) -> Mapping[str, NDArray[np.bool_]]:
    """Assign rows to strata.

    `panorama` and `single view`; `no landmark`: the description rests on no sign that was read and on nothing of the
    map that has a name; `mostly from above` and `mostly from the street`: by the share of its sentences (see
    `tools.retrieval.data.texts.from_above`).
    """
    plain, above = np.zeros(len(index), np.bool_), np.zeros(len(index), np.bool_)
    order = np.lexsort((index.place, index.group))
    parts = [order[first : first + _AT_ONCE] for first in range(0, len(order), _AT_ONCE)]
    for rows, found in zip(parts, RowReader(index, _COLUMNS).read(parts), strict=True):
        for at, row in zip(rows.tolist(), found, strict=True):
            plain[at], above[at] = _no_landmark(row), _share_above(row) >= 0.5
    return {
        "panorama": index.panorama,
        "single view": ~index.panorama,
        "no landmark": plain,
        "mostly from above": above,
        "mostly from the street": ~above,
    }


def _no_landmark(row: Mapping[str, Any]) -> bool:
    told = {cue_id for sentence in row["sentences"] if sentence["variant"] == "long" for cue_id in sentence["cue_ids"]}
    return not any(cue["kind"] != "object" and cue["text"] for cue in row["cues"] if cue["cue_id"] in told)


def _share_above(row: Mapping[str, Any]) -> float:
    shown = [from_above(sentence, row["cues"]) for sentence in row["sentences"] if sentence["variant"] == "long"]
    return sum(shown) / max(1, len(shown))


def cvgtext_paths(index: Index) -> list[str]:
    """File names of rows in CVG-Text's format: position first, three or more parts for a panorama."""
    heading = np.nan_to_num(index.heading_deg).astype(int)
    return [
        f"{lat:.8f},{lon:.8f}_" + (f"0000-00_{sample_id}_d{turn}_z0.png" if whole else f"{sample_id}.png")
        for lat, lon, sample_id, turn, whole in zip(
            index.lat, index.lon, (str(i).replace("_", "-") for i in index.ids), heading, index.panorama, strict=True
        )
    ]
