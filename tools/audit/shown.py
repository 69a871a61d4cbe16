"""The samples of a task as its annotator sees them, and whether the dataset still has them so."""

import json
from typing import Any

from sqlalchemy import Row

from schemas.records import Sample
from tools.audit.attention import is_there, spoilt
from tools.audit.library import Library
from tools.audit.records import Planted, text_digest


def shown_sample(task: Row[Any], library: Library) -> Sample:
    """The sample of a task as its annotator sees it.

    Raises:
        KeyError: the dataset has it no more.
        MachineError: it cannot be read.
    """
    sample = library.sample(task.sample_id)
    return spoilt(sample, Planted.model_validate_json(task.planted)) if task.planted else sample


def options_of(task: Row[Any]) -> list[str]:
    """The samples that a choice is between."""
    found: list[str] = json.loads(task.shown).get("options", [])
    return found


def is_current(task: Row[Any], library: Library) -> bool:
    """Whether the dataset has what a task was drawn for: its samples, with the texts that they had then.

    Raises:
        MachineError: a sample cannot be read.
    """
    if any(sample_id not in library.facts for sample_id in (task.sample_id, *options_of(task))):
        return False
    if not task.planted:
        return bool(library.facts[task.sample_id].text_sha256 == task.text_sha256)
    sample, planted = library.sample(task.sample_id), Planted.model_validate_json(task.planted)
    if not is_there(sample, planted):
        return False
    shown: str = text_digest(spoilt(sample, planted))
    return shown == str(task.text_sha256)
