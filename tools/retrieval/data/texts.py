"""Text input of a row: a published description, or a variant made from its sentences and cues."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.captioning.language import language_of

TextChoice = Literal[
    "description", "description_short", "description_street", "from_above", "no_names", "no_read", "nouns", "tags"
]
"""`from_above`: the sentences that rest on something that shows from above. `no_names`, `no_read`: the description
without names of the map, or without words read off photos. `nouns`: its nouns alone, each once. `tags`: the kinds of
the cues that it rests on, of which some have no word in it, and some share one."""

PUBLISHED = ("description", "description_short", "description_street")
"""Texts that are columns of their own."""
_CUES = tuple(f"cues.list.element.{name}" for name in ("cue_id", "kind", "label", "category", "text", "text_en"))
_SENTENCES = tuple(f"sentences.list.element.{name}" for name in ("variant", "text", "cue_ids", "shows"))
"""`shows` stands in newer datasets alone; Arrow leaves out what is not there."""
_ABOVE_MAP = {"road", "junction", "crossing", "building", "green", "water", "rail", "square"}
"""Kinds of things on the map that show from above. Shops do not: theirs is what is written on the front."""
_ABOVE_SEEN = {
    "apartment building", "beach", "bridge", "building", "church", "crossing", "field", "garage", "grass", "hedge",
    "house", "industrial building", "office building", "park", "parking area", "path", "paved ground", "pavement",
    "playground", "pond", "rail track", "railway", "river", "road", "roundabout", "school", "shop", "shrub",
    "sports pitch", "square", "swimming pool", "tower", "tram track", "tree", "water",
}  # fmt: skip
_SPACES = re.compile(r"\s+")
_BEFORE_MARK = re.compile(r"\s+([.,;:!?])")


def text_columns(choice: TextChoice) -> tuple[str, ...]:
    """Parquet paths of the columns that a text is made from."""
    if choice in PUBLISHED:
        return (choice,)
    if choice in ("from_above", "tags"):
        return (*_SENTENCES, *_CUES)
    if choice == "nouns":
        return ("description", "language", *_SENTENCES, *_CUES)
    return ("description", *_CUES)


def text_of(choice: TextChoice, row: Mapping[str, Any]) -> str:
    """Make the text of a row with the columns `text_columns`; empty if it has none."""
    if choice in PUBLISHED:
        return row[choice] or ""
    if choice == "from_above":
        return " ".join(s["text"] for s in _long(row["sentences"]) if from_above(s, row["cues"]))
    if choice == "tags":
        return _tags(row)
    if choice == "nouns":
        return _nouns(row)
    kind = "map" if choice == "no_names" else "text"
    words = [words for cue in row["cues"] if cue["kind"] == kind for words in (cue["text"], cue["text_en"]) if words]
    return _without(row["description"], words)


def has_text(choice: TextChoice, table: pa.Table) -> NDArray[np.bool_]:
    """Mask of the rows that have a text, in a table with the columns `text_columns`."""
    if choice in PUBLISHED:
        return np.array([bool(text) for text in table[choice].to_pylist()], dtype=np.bool_)
    return np.array([bool(text_of(choice, row)) for row in table.to_pylist()], dtype=np.bool_)


def from_above(sentence: Mapping[str, Any], cues: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a sentence mentions something that is visible from above.

    Either its writer says so (`shows`), or one of its cues is of a kind and class that does: not every writer says it.
    """
    if sentence.get("shows") == "from_above":
        return True
    return any(_shows(cue) for cue in cues if cue["cue_id"] in sentence["cue_ids"])


def _shows(cue: Mapping[str, Any]) -> bool:
    return cue["label"] in (_ABOVE_MAP if cue["kind"] == "map" else _ABOVE_SEEN if cue["kind"] == "object" else ())


def _long(sentences: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [sentence for sentence in sentences if sentence["variant"] == "long"]


def _told(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Cues that the description rests on."""
    told = {cue_id for sentence in _long(row["sentences"]) for cue_id in sentence["cue_ids"]}
    return [cue for cue in row["cues"] if cue["cue_id"] in told]


def _tags(row: Mapping[str, Any]) -> str:
    """Kinds of the cues that the description rests on, each once, in alphabetical order."""
    return " ".join(sorted({(cue["category"] or cue["label"]).replace("_", " ") for cue in _told(row)}))


def _nouns(row: Mapping[str, Any]) -> str:
    """Nouns for the cues that the description rests on, if it has their words; each once, in alphabetical order."""
    language = language_of(row["language"])
    said = language.stems(row["description"] or "")
    classes = {
        ("object", c["label"]) if c["kind"] == "object" else (c["label"], c["category"] or "") for c in _told(row)
    }
    nouns = {noun.singular for label, raw in classes if (noun := language.nouns.called(label, raw))}
    return " ".join(sorted(noun for noun in nouns if language.stems(noun) <= said))


def _without(text: str, words: Sequence[str]) -> str:
    """Remove phrases from a text, wherever they occur as whole words."""
    for phrase in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return _BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", text)).strip()
