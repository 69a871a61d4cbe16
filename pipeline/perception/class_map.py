"""Maps the classes of a closed-set model to the vocabulary: the lists under `classes/`, and files of that format."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import yaml

from pipeline.config.perception import ClosedSetModel
from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from pipeline.perception.vocabulary import Term


def class_labels(spec: ClosedSetModel, words: Mapping[str, Term], where: str) -> list[str | None]:
    """For each class of a model, in the order of its output, the vocabulary's label; None for what is not told.

    Args:
        spec: names a list that comes with the product, or a YAML file: a list with one entry a class, `their name:
            label`, or `their name:` for what is not told.
        words: the vocabulary. Labels of the product's own lists that it lacks are not told.
        where: the setting that has the spec.

    Raises:
        ConfigError: the file cannot be read, is of another form, or names labels that the vocabulary lacks; all of them
            are named.
    """
    classes, own = spec.classes, not isinstance(spec.classes, Path)
    where = f"{where}.classes"
    try:
        place = files("pipeline.perception") / "classes" / f"{classes}.yaml" if own else Path(classes)
        raw = parse_yaml(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([Problem(where, f"{classes}: {' '.join(str(error).split())}", "a YAML list")]) from error
    if not isinstance(raw, list) or not raw:
        raise ConfigError([Problem(where, f"{classes}: {type(raw).__name__}", "a YAML list of classes")])
    labels: list[str | None] = [None] if spec.background else []
    problems = []
    for i, entry in enumerate(raw):
        label = next(iter(entry.values())) if isinstance(entry, dict) and len(entry) == 1 else entry
        if own and label not in words:
            label = None
        if label is not None and not (isinstance(label, str) and label in words):
            allowed = "their name, a colon, and a class of the vocabulary or nothing"
            problems.append(Problem(f"{classes}: {i}", repr(entry), allowed))
        labels.append(None if label in spec.leave_out else label)
    if problems:
        raise ConfigError(problems)
    return labels
