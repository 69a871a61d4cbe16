"""Label Studio: a labelling configuration and tasks to import there, and its JSON export read back.

Formats: https://labelstud.io/guide/tasks (tasks), https://labelstud.io/tags (configuration),
https://labelstud.io/guide/export (the form `JSON`; `JSON_MIN` leaves out what is needed here).
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

from pydantic import BaseModel, FiniteFloat

from schemas.records import Variant
from tools.audit.exchange.items import Item, Reply
from tools.audit.exchange.reading import read_records
from tools.audit.records import COLUMNS, MOST_MS, REASON_WORDS

CONFIG, TASKS, PICTURES = "config.xml", "tasks.json", "pictures"
"""Files of the folder."""
_TITLES: dict[Variant, str] = {"long": "Description", "short": "Short", "street": "From the street alone"}
_EDITED = "edited_"


def configuration() -> str:
    """The labelling configuration of a project."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name="pictures", valueList="$pictures")
    ET.SubElement(view, "Text", name="credits", value="$credits")
    for variant, title in _TITLES.items():
        ET.SubElement(view, "Header", value=title)
        ET.SubElement(view, "Text", name=variant, value=f"${variant}")
    verdict = ET.SubElement(
        view, "Choices", name="verdict", toName="long", choice="single", required="true", showInline="true"
    )
    for value, key in (("accept", "a"), ("edit", "e"), ("reject", "r")):
        ET.SubElement(verdict, "Choice", value=value, hotkey=key)
    seen = {"visibleWhen": "choice-selected", "whenTagName": "verdict", "whenChoiceValue": "edit,reject"}
    reasons = ET.SubElement(view, "Choices", {"name": "reasons", "toName": "long", "choice": "multiple", **seen})
    for reason, words in REASON_WORDS.items():
        ET.SubElement(reasons, "Choice", value=reason.value, hint=words)
    ET.SubElement(view, "Header", value="Claims that are false")
    ET.SubElement(view, "Choices", name="false_claims", toName="long", choice="multiple", value="$claims")
    for variant in _TITLES:
        area = {"name": _EDITED + variant, "toName": variant, "value": f"${variant}", "maxSubmissions": "1"}
        ET.SubElement(view, "TextArea", {**area, "editable": "true", "rows": "4", **seen, "whenChoiceValue": "edit"})
    ET.SubElement(view, "TextArea", name="note", toName="long", placeholder="Note", maxSubmissions="1", rows="2")
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def write(items: Iterable[Item], folder: Path, prefix: str | None) -> int:
    """Write a folder: the configuration, the tasks and their pictures; returns how many tasks.

    Args:
        items: the tasks.
        folder: where to.
        prefix: address under which Label Studio finds the pictures; None for its local storage, with the folder's
            parent as document root.

    Raises:
        OSError: it cannot be written.
    """
    at = prefix if prefix is not None else f"/data/local-files/?d={folder.resolve().name}/{PICTURES}/"
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    tasks = []
    for item in items:
        for picture in item.pictures:
            (folder / PICTURES / picture.name).write_bytes(picture.data)
        tasks.append({"data": _data(item, at)})
    (folder / TASKS).write_text(json.dumps(tasks, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / CONFIG).write_text(configuration(), encoding="utf-8")
    return len(tasks)


def _data(item: Item, at: str) -> dict[str, Any]:
    return {
        "task_id": item.task_id,
        "text_sha256": item.text_sha256,
        "pictures": [at + picture.name for picture in item.pictures],
        "credits": "; ".join(picture.credit for picture in item.pictures),
        **{variant: item.texts.get(variant, "") for variant in COLUMNS},
        # The alias is what a result holds in place of the text.
        "claims": [{"value": text, "alias": key} for key, text in item.claims.items()],
    }


class _Value(BaseModel):
    """What a control holds: Label Studio writes a list, and a lone text as such."""

    choices: list[str] | str | None = None
    text: list[str] | str | None = None


class _Result(BaseModel):
    from_name: str = ""
    value: _Value = _Value()


class _User(BaseModel):
    id: int


class _Annotation(BaseModel):
    completed_by: int | _User
    was_cancelled: bool = False
    result: list[_Result] = []
    lead_time: FiniteFloat | None = None


class _Data(BaseModel):
    task_id: str
    text_sha256: str


class _Task(BaseModel):
    data: _Data
    annotations: list[_Annotation] = []


def read(file: Path) -> Iterator[Reply]:
    """The annotations of an export (form `JSON`), without those that were skipped there.

    Raises:
        ConfigError: it cannot be read, or is no such export.
    """
    allowed = "Label Studio's export as JSON (not JSON_MIN) of tasks that `geoscribe audit export` made"
    for task in read_records(_Task, file, "Label Studio's export as JSON", allowed):
        for annotation in task.annotations:
            if not annotation.was_cancelled:
                yield _reply(task.data, annotation)


def _reply(data: _Data, annotation: _Annotation) -> Reply:
    found = {result.from_name: result.value for result in annotation.result}
    verdicts = _words(found, "verdict", "choices")
    user = annotation.completed_by
    return Reply(
        task_id=data.task_id,
        text_sha256=data.text_sha256,
        person=str(user.id if isinstance(user, _User) else user),
        verdict=verdicts[0] if verdicts else None,
        reasons=_words(found, "reasons", "choices"),
        texts={variant: " ".join(texts) for variant in COLUMNS if (texts := _words(found, _EDITED + variant, "text"))},
        false_claims=_words(found, "false_claims", "choices"),
        note="\n".join(_words(found, "note", "text")),
        ms=min(round(1000 * (annotation.lead_time or 0)), MOST_MS),
    )


def _words(found: dict[str, _Value], name: str, field: Literal["choices", "text"]) -> list[str]:
    held: list[str] | str | None = getattr(found[name], field) if name in found else None
    return [held] if isinstance(held, str) else held or []
