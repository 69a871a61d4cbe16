"""`geoscribe diff`: what differs between two datasets, or between two builds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.cli.as_json import JsonOption, print_json

if TYPE_CHECKING:
    from pipeline.storage import Store
    from tools.compare.datasets import DatasetDiff
    from tools.compare.rows import RowChanges
    from tools.compare.settings import Pair
    from tools.compare.workspaces import BuildDiff

_SHOWN = 5
"""Ids in a line."""

_WHAT = "Folder or URL of a dataset, or of a build's layers; or a build file."


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_WHAT)],
    after: Annotated[str, typer.Argument(metavar="B", help="Likewise, to compare with it.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two datasets or two builds: rows, splits, licences, counts, settings. Exit code 1 if they differ.

    Equal shards and tables are not read. Of a build, tables that are up to date are compared, stage by stage.
    """
    from pipeline.errors import ConfigError, Problem
    from tools.compare.datasets import compare_datasets
    from tools.compare.workspaces import compare_builds
    from tools.dataset import open_dataset

    (first, published), (second, also) = _opened(before, "A"), _opened(after, "B")
    if published is not also:
        kinds = [
            f"{place} ({'a dataset' if is_one else 'a build'})"
            for place, is_one in ((before, published), (after, also))
        ]
        raise ConfigError([Problem("B", " and ".join(kinds), "two datasets or two builds")])
    found: DatasetDiff | BuildDiff
    if published:
        found = compare_datasets(open_dataset(before), open_dataset(after))
        record, lines = _dataset_record(found), _dataset_lines(found)
    else:
        found = compare_builds(first, second)
        record, lines = _build_record(found), _build_lines(found)
    if as_json:
        print_json({"before": before, "after": after, "same": not found.differ, **record})
    else:
        print("\n".join(lines) if found.differ else f"{before} and {after} are the same")
    raise typer.Exit(found.differ)


def _opened(place: str, where: str) -> "tuple[Store, bool]":
    """The place, and whether it is a dataset."""
    from pipeline.engine.build_file import load_build
    from pipeline.engine.definition import PATH as BUILD
    from pipeline.errors import ConfigError, Problem
    from pipeline.publishing.manifest import PATH as MANIFEST
    from pipeline.storage import open_store

    if Path(place).is_file():
        return open_store(load_build(Path(place)).workspace, where=where, read_only=True), False
    store = open_store(place, where=where, read_only=True)
    for path, is_dataset in ((MANIFEST, True), (BUILD, False)):
        try:
            store.read(path)
        except FileNotFoundError:
            continue
        return store, is_dataset
    raise ConfigError([Problem(where, f"{place}, without {MANIFEST} or {BUILD}", "a dataset, or a build's layers")])


def _dataset_record(found: "DatasetDiff") -> dict[str, Any]:
    return {
        "columns_added": found.columns_added,
        "columns_removed": found.columns_removed,
        "rows": _rows_record(found.rows),
        "splits_moved": [
            {"from": old, "to": new, "samples": rows} for (old, new), rows in sorted(found.rows.moved.items())
        ],
        "counts": {name: _pairs(pairs) for name, pairs in found.counts.items()},
        "settings": _pairs(found.settings),
    }


def _build_record(found: "BuildDiff") -> dict[str, Any]:
    return {
        "stages": {stage: _rows_record(rows) for stage, rows in found.stages.items()},
        "counts": _pairs(found.counts),
        "settings": _pairs(found.settings),
    }


def _rows_record(rows: "RowChanges") -> dict[str, Any]:
    return {"same": rows.same, "added": rows.added, "removed": rows.removed, "changed": rows.changed}


def _pairs(pairs: "dict[str, Pair]") -> dict[str, Any]:
    return {key: {"before": before, "after": after} for key, (before, after) in pairs.items()}


def _dataset_lines(found: "DatasetDiff") -> list[str]:
    lines = [f"columns only {where}: {', '.join(names)}" for where, names in (
        ("after", found.columns_added), ("before", found.columns_removed)) if names]  # fmt: skip
    lines += _row_lines("rows", found.rows)
    for (old, new), rows in sorted(found.rows.moved.items()):
        lines.append(f"moved from {old} to {new}: {_some(rows)}")
    titles = {"regions": "samples of", "failed": "failed:", "excluded": "left out:", "licences": "pictures of",
              "licence_classes": "licence class of", "distractors": "distractors:"}  # fmt: skip
    for name, pairs in found.counts.items():
        lines += [f"{titles[name]} {key}: {before or 0} -> {after or 0}" for key, (before, after) in pairs.items()]
    return lines + _setting_lines(found.settings)


def _build_lines(found: "BuildDiff") -> list[str]:
    lines = [line for stage, rows in found.stages.items() if rows.differ for line in _row_lines(stage, rows)]
    lines += [f"sites of {key}: {before or 0} -> {after or 0}" for key, (before, after) in found.counts.items()]
    return lines + _setting_lines(found.settings)


def _row_lines(title: str, rows: "RowChanges") -> list[str]:
    lines = [
        f"{title}: {rows.same} same, {rows.changed_rows} changed, {len(rows.added)} added, {len(rows.removed)} removed"
    ]
    lines += [f"  {how}: {_some(ids)}" for how, ids in (("added", rows.added), ("removed", rows.removed)) if ids]
    return lines + [f"  changed in {column}: {_some(ids)}" for column, ids in rows.changed.items()]


def _setting_lines(settings: "dict[str, Pair]") -> list[str]:
    return [f"setting {key}: {before!r} -> {after!r}" for key, (before, after) in settings.items()]


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)} ({', '.join(ids[:_SHOWN])}{more})"
