"""Label Studio's and Argilla's own libraries at work on an export, in an environment of their own.

python theirs.py TOOL FOLDER OUT: check the folder as the tool's library does, judge all, write the tool's export.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

USER = "00000000-0000-0000-0000-000000000007"


def verdict_of(number: int) -> dict[str, Any]:
    """Every third task is rejected, every fifth edited."""
    if number % 3 == 1:
        return {"verdict": "reject", "reasons": ["ocr_wrong", "generic"], "note": "schief \U0001f3e0"}
    if number % 5 == 2:
        return {"verdict": "edit", "edited_long": "A sign reads BAKERY."}
    return {"verdict": "accept"}


def label_studio(folder: Path, out: Path) -> None:
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.types import Annotation

    interface = LabelInterface((folder / "config.xml").read_text())
    interface.validate()
    tasks = json.loads((folder / "tasks.json").read_text())
    exported = []
    for number, task in enumerate(tasks):
        assert interface.validate_task(task), task
        said = verdict_of(number)
        if said["verdict"] == "reject":
            said["false_claims"] = [task["data"]["claims"][0]["alias"]]
        result = [region._dict() for region in interface.create_regions(said)]
        assert interface.validate_prediction({"result": result}, return_errors=True) == []
        made = Annotation(id=100 + number, completed_by=7, result=result, lead_time=4.2, was_cancelled=False)
        exported.append({"id": number + 1, **task, "annotations": [json.loads(made.json())]})
    (first, *_) = exported[0]["annotations"][0]["result"]
    wrong = first | {"value": {"choices": ["maybe"]}}
    assert interface.validate_prediction({"result": [wrong]}, return_errors=True)  # it does look at the values
    out.write_text(json.dumps(exported))


def argilla(folder: Path, out: Path) -> None:
    from argilla import Response, Settings
    from argilla._models import DatasetModel
    from argilla.client import Argilla
    from argilla.records._io import JsonIO

    Argilla._default_client = mock.MagicMock()  # the library wants a server before it makes a field
    settings = Settings.from_json(folder / ".argilla" / "settings.json")
    settings.validate()
    DatasetModel(**json.loads((folder / ".argilla" / "dataset.json").read_text()))
    records = JsonIO._records_from_json(folder / "records.json")
    questions = {question.name for question in settings.questions}
    fields = {field.name: field for field in settings.fields}
    for number, record in enumerate(records):
        assert set(record.fields) <= set(fields)
        assert {name for name, field in fields.items() if field.required} <= set(record.fields)
        assert set(record.metadata) == {part.name for part in settings.metadata}
        record.dataset = SimpleNamespace(settings=SimpleNamespace(schema=fields))
        assert record.fields["street_view"].size[0] > 0  # it decodes the picture
        said = verdict_of(number)
        if said["verdict"] == "reject":
            said["false_claims"] = record.fields["claims"].split()[0]
        assert set(said) <= questions
        for name, value in said.items():
            record.responses.add(Response(name, value, user_id=USER))
    JsonIO.to_json(records, out)


if __name__ == "__main__":
    tool, folder, out = sys.argv[1:]
    {"label-studio": label_studio, "argilla": argilla}[tool](Path(folder), Path(out))
