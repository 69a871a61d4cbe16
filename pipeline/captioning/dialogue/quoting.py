"""Evidence as it stands in a prompt: JSON whose strings cannot be taken for anything but quoted scenery.

What is on a sign or in a map anybody may have put there. Cues were cleaned when they were made (`pipeline.perception.
text`); here they are cleaned for a chat: no role marks, nothing that closes the data's own marks, no orders.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pipeline.captioning.looks import own_looks
from pipeline.perception.instructions import is_instruction
from pipeline.perception.text import clean, is_personal
from schemas.records import Cue, Note

# Chat templates mark roles, and prompt sets mark data, with signs of these kinds; lettering in a street has no need of
# them.
_MARKS = str.maketrans({"<": "", ">": "", "|": "", "`": "", "[": "(", "]": ")", "{": "(", "}": ")"})

ORDERS = Path(str(files(__package__) / "orders.yaml"))
"""Patterns of words that address a model, by language."""

_MOST_CHARACTERS = 240
_NAMELESS = ("road", "junction", "crossing")
"""Kinds of map features without names: streets are not named in a description, so a model need not know their names."""
_SAID_BY_CATEGORY = ("poi", "green", "water", "other")


@cache
def _orders() -> re.Pattern[str]:
    by_language = yaml.safe_load(ORDERS.read_text(encoding="utf-8"))
    return re.compile("|".join(pattern for patterns in by_language.values() for pattern in patterns))


def is_order(text: str) -> bool:
    """Whether it addresses a model, in a language of `orders.yaml`; English: see `instructions.is_instruction`."""
    plain = unicodedata.normalize("NFKC", text)
    return is_instruction(plain) or _orders().search(plain.casefold()) is not None


def quoted(text: str) -> str:
    """The text without marks that a chat or a prompt gives a meaning to."""
    return " ".join(clean(text).translate(_MARKS).split())


def usable(cues: Iterable[Cue]) -> list[Cue]:
    """The cues that a description may rest on: lasting ones whose words are no order and nobody's data; and no sky."""
    kept = [cue for cue in cues if cue.lasting and not any(map(_unfit, (cue.text, cue.text_en, cue.category)))]
    return [cue for cue in kept if cue.label != "sky"]  # every place has one


def _unfit(text: str | None) -> bool:
    return text is not None and (is_order(text) or is_personal(text))


def cues_data(cues: Iterable[Cue], numbers: Mapping[str, int], heading_deg: float | None) -> list[dict[str, Any]]:
    """Cues as the model is given them, those that it could not tell apart as one with their number.

    Args:
        cues: in order.
        numbers: numbers of the pictures shown, by `view_id`.
        heading_deg: of the main view, from which directions are told; None where it is not known.
    """
    joined: dict[str, dict[str, Any]] = {}
    for cue in cues:
        data = _cue_data(cue, numbers, heading_deg)
        mark = json.dumps({key: value for key, value in data.items() if key not in ("id", "degrees", "metres")})
        if mark in joined:
            joined[mark]["alike"] = joined[mark].get("alike", 1) + 1
        else:
            joined[mark] = data
    return list(joined.values())


def _cue_data(cue: Cue, numbers: Mapping[str, int], heading_deg: float | None) -> dict[str, Any]:
    data: dict[str, Any] = {"id": cue.cue_id}
    if cue.kind == "text":
        data |= {"is": "sign", "words": quoted(cue.text or ""), "words_in_english": quoted(cue.text_en or "")}
        data |= {"letters": _look(cue, "lettering"), "background": _look(cue, "background")}
    elif cue.kind == "object":
        data |= {"is": "thing", "what": quoted(" ".join((*own_looks(cue), cue.label))), "lines": _look(cue, "marking")}
        data["parts"] = [quoted(look.value) for look in cue.looks if look.kind == "part"]
    else:
        data |= {"is": "on the map", "what": _mapped(cue.label, quoted(cue.category or "").replace("_", " "))}
        if cue.label not in _NAMELESS:
            data |= {"name": quoted(cue.text or ""), "name_in_english": quoted(cue.text_en or "")}
    around = cue.kind == "map" and cue.distance_m == 0.0
    data["where"] = "all around" if around else cue.position and cue.position.value
    if heading_deg is not None and cue.bearing_deg is not None and not around:
        data["degrees"] = round((cue.bearing_deg - heading_deg + 180.0) % 360.0 - 180.0)
    data["depth"] = cue.depth
    data["metres"] = None if cue.distance_m is None or around else max(1, round(cue.distance_m))
    data["picture"] = numbers.get(cue.view_id) if cue.view_id else None
    data["hidden"] = True if cue.kind == "map" and cue.in_sight is False else None
    return {key: value for key, value in data.items() if value not in (None, "", [])}


def _look(cue: Cue, kind: str) -> str | None:
    return next((quoted(look.value) for look in cue.looks if look.kind == kind), None)


def _mapped(kind: str, category: str) -> str:
    """The category of a thing on the map, with the kind where that does not follow from it."""
    told = category and (kind in _SAID_BY_CATEGORY or kind in re.split(r"\W", category))
    return category if told else ": ".join(filter(None, (kind, category)))


def notes_data(notes: Iterable[Note], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """Notes as the model is given them in later turns."""
    found = []
    for note in notes:
        data: dict[str, Any] = {"id": note.note_id, "picture": numbers.get(note.view_id)}
        data |= {"words": note.text, "on": note.what} if note.kind == "lettering" else {"what": note.what}
        data |= {"looks": note.looks, "where": note.position and note.position.value, "depth": note.depth}
        around = note.kind == "thing" and note.depth is None  # scene and road
        if note.position is None and not around:
            data["side_of_picture"] = note.side
        found.append({key: value for key, value in data.items() if value not in (None, "")})
    return found


def model_text(text: str) -> str:
    """A model's text, fit to be data: it may have copied what it was not to copy. Empty where it is an order."""
    return _without_order(text)


def model_words(value: Any) -> Any:
    """An earlier reply of the model, fit to be data: it may have copied what it was not to copy."""
    if isinstance(value, str):
        return _without_order(value)
    if isinstance(value, dict):
        return {key: model_words(part) for key, part in value.items()}
    if isinstance(value, list):
        return [model_words(part) for part in value]
    return value


def _without_order(text: str) -> str:
    bare = " ".join(text.translate(_MARKS).split())[:_MOST_CHARACTERS]
    # In the order of `publishable`, but the words are a model's, so their length is a reply's.
    kept = "".join(c for c in bare if not unicodedata.category(c).startswith("C"))
    return "" if is_order(kept) or is_order(text) else kept  # as it was, it had marks of roles


def to_json(data: dict[str, Any]) -> str:
    """Data as it stands in the prompt: one entry of a list a line, so that a reader finds an id."""
    lines = []
    for key, value in data.items():
        if isinstance(value, Sequence) and not isinstance(value, str) and value:
            body = "[\n  " + ",\n  ".join(_compact(part) for part in value) + "\n ]"
        else:
            body = _compact(value)
        lines.append(f" {_compact(key)}: {body}")
    return "{\n" + ",\n".join(lines) + "\n}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
