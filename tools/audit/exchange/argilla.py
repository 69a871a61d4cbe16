"""Argilla: a dataset's folder as its `Dataset.from_disk` reads it, and the records of its `to_disk` read back.

Formats: https://docs.argilla.io/latest/how_to_guides/import_export (the folder) and .../record (records).
"""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from schemas.records import Variant
from tools.audit.exchange.items import Item, Picture, Reply
from tools.audit.exchange.reading import read_records
from tools.audit.records import COLUMNS, REASON_WORDS

T = TypeVar("T")
RECORDS, SETTINGS, DATASET = "records.json", ".argilla/settings.json", ".argilla/dataset.json"
"""Files of the folder."""
_TITLES: dict[Variant, str] = {"long": "Description", "short": "Short", "street": "From the street alone"}
_VIEWS = ("street", "aerial", "map", "drone", "panorama")
_EDITED = "edited_"
_MIME = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def settings() -> dict[str, Any]:
    """Fields, questions and metadata of the dataset."""
    image, text = {"type": "image"}, {"type": "text", "use_markdown": False}
    fields = [_part(_picture(view), view.capitalize(), image, required=False) for view in _VIEWS]
    fields += [_part(variant, title, text, required=variant == "long") for variant, title in _TITLES.items()]
    fields += [_part("claims", "Claims", text, required=False), _part("credits", "Pictures", text, required=False)]
    verdict = {"type": "label_selection", "options": _options({v: v for v in ("accept", "edit", "reject")})}
    reasons = {"type": "multi_label_selection", "options": _options({r.value: w for r, w in REASON_WORDS.items()})}
    questions = [
        _part("verdict", "Is it right?", verdict, required=True),
        _part("reasons", "Why is it rejected or edited?", reasons, required=False),
        _part("false_claims", "Numbers of the claims that are false, with spaces between", text, required=False),
        *(_part(_EDITED + v, f"{title}, edited", text, required=False) for v, title in _TITLES.items()),
        _part("note", "Note", text, required=False),
    ]
    return {
        "guidelines": "Accept if everything that is told is there; edit if a word is wrong; else reject with a reason.",
        "fields": fields,
        "questions": questions,
        "vectors": [],
        "metadata": [
            _metadata("text_sha256", {"type": "terms", "values": None}),
        ],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def _picture(role: str) -> str:
    """Name of a picture's field: the texts' fields are called `long`, `short` and `street`."""
    return f"{role}_view"


def _part(name: str, title: str, kind: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "title": title, "required": required, "type": kind["type"], "settings": kind}


def _options(words: dict[str, str]) -> list[dict[str, str]]:
    return [{"value": value, "text": text} for value, text in words.items()]


def _metadata(name: str, kind: dict[str, Any]) -> dict[str, Any]:
    hidden = {"visible_for_annotators": False}
    return {"name": name, "title": name, "type": kind["type"], "settings": hidden | kind, **hidden}


def write(items: Iterable[Item], folder: Path, prefix: str | None) -> int:
    """Write a folder for `Dataset.from_disk`; returns how many records.

    Args:
        items: the tasks.
        folder: where to.
        prefix: address under which Argilla's users find the pictures, which are then written beside the records; None
            puts the pictures into the records, as data URIs.

    Raises:
        OSError: it cannot be written.
    """
    (folder / SETTINGS).parent.mkdir(parents=True, exist_ok=True)
    records = []
    for item in items:
        if prefix is not None:
            (folder / "pictures").mkdir(exist_ok=True)
            for picture in item.pictures:
                (folder / "pictures" / picture.name).write_bytes(picture.data)
        records.append(_record(item, prefix))
    (folder / RECORDS).write_text(json.dumps(records, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / SETTINGS).write_text(json.dumps(settings(), indent=1) + "\n", encoding="utf-8")
    dataset = {"name": folder.resolve().name, "status": "draft", "allow_extra_metadata": False}
    (folder / DATASET).write_text(json.dumps(dataset) + "\n", encoding="utf-8")
    return len(records)


def _record(item: Item, prefix: str | None) -> dict[str, Any]:
    shown = [picture for picture in item.pictures if picture.role in _VIEWS]
    pictures = {_picture(p.role): prefix + p.name if prefix is not None else _uri(p) for p in shown}
    claims = "\n".join(f"{key}  {text}" for key, text in item.claims.items())
    credit = "; ".join(picture.credit for picture in shown)
    return {
        "id": item.task_id,
        "fields": {**pictures, **item.texts, "claims": claims, "credits": credit},
        "metadata": {"text_sha256": item.text_sha256},
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def _uri(picture: Picture) -> str:
    return f"data:{_MIME[Path(picture.name).suffix]};base64,{base64.b64encode(picture.data).decode()}"


class _Response(BaseModel, Generic[T]):
    value: T | None
    user_id: str


class _Responses(BaseModel):
    """The responses to each question of `settings`."""

    verdict: list[_Response[str]] = []
    reasons: list[_Response[list[str]]] = []
    false_claims: list[_Response[str]] = []
    edited_long: list[_Response[str]] = []
    edited_short: list[_Response[str]] = []
    edited_street: list[_Response[str]] = []
    note: list[_Response[str]] = []


class _Metadata(BaseModel):
    text_sha256: str


class _Record(BaseModel):
    id: str
    metadata: _Metadata
    responses: _Responses = _Responses()


def read(file: Path) -> Iterator[Reply]:
    """The responses in an exported folder, or in its `records.json`, without drafts that have no verdict yet.

    Raises:
        ConfigError: it cannot be read, or is no such export.
    """
    file = file / RECORDS if file.is_dir() else file
    allowed = "records of Argilla's to_disk, of a dataset that `geoscribe audit export` made"
    for record in read_records(_Record, file, "a folder of Argilla's to_disk", allowed):
        for person in dict.fromkeys(said.user_id for said in record.responses.verdict if said.value is not None):
            yield _reply(record, person)


def _reply(record: _Record, person: str) -> Reply:
    said: dict[str, Any] = {
        name: one.value for name, found in record.responses for one in found if one.user_id == person
    }
    return Reply(
        task_id=record.id,
        text_sha256=record.metadata.text_sha256,
        person=person,
        verdict=said.get("verdict"),
        reasons=said.get("reasons") or [],
        texts={variant: text for variant in COLUMNS if (text := said.get(_EDITED + variant))},
        false_claims=(said.get("false_claims") or "").replace(",", " ").split(),
        note=said.get("note") or "",
        ms=0,
    )
