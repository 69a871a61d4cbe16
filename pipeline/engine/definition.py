"""A workspace's definition (`build.json`): the build last started on it, and the id that tells it from others."""

import functools
import json
import logging
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.build import Build
from pipeline.config.renamed import renamed
from pipeline.engine.parts import Part
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing.owner import Publishing
from pipeline.stages import STAGES
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)

PATH = "build.json"
FORMAT = 3
"""Stands in every definition as `geoscribe-workspace-3`. Format 1 had neither number nor id; format 2 had no tables
of format 3 (`pipeline.engine.layers`)."""
_COPY_OF = "copy_of"
"""Key: the places of the workspaces that one was copied from."""
_HOW = {"workspace", "dataset", "limits", "network", "assumptions"}
"""Settings in which the parts of one build may differ: where and how it runs."""


@dataclass(frozen=True)
class Definition:
    """The build last started on a workspace, and what its tables depend on."""

    build: Build
    """With the place that the workspace has now."""
    bases: dict[str, dict[str, str]]
    """By region and stage (`pipeline.engine.units.stage_bases`)."""
    moved: bool
    """Whether the workspace was copied or moved since: whose the recorded dataset is cannot be told then."""


def claim(
    store: Store,
    build: Build,
    bases: dict[str, dict[str, str]],
    part: Part | None = None,
    *,
    publishing: Publishing | None = None,
) -> str:
    """Record the build that is about to run; returns the workspace's id, which goes with it wherever it is moved.

    A workspace that was copied or moved is known as such until a run publishes from it, or names another dataset.
    `publishing` is what publishing may do to a dataset that is there; None if nothing is to be published.

    Raises:
        ConfigError: the workspace belongs to another build; or other parts run with another build file.
    """
    owner = _read(store)
    if owner is not None and owner["name"] != build.name:
        found = f"{store.url}, which belongs to the build {owner['name']!r}"
        raise ConfigError([Problem("workspace", found, f"a workspace of {build.name!r}, or a new one")])
    if owner is not None and part is not None:
        _same_for_all_parts(owner, build, bases)
    ident = str(owner["id"]) if owner is not None and "id" in owner else uuid.uuid4().hex[:16]
    settings = build.model_dump(mode="json")
    if publishing is None and owner is not None and _is_of_record(build.dataset, owner):
        settings["workspace"] = owner["build"]["workspace"]
    content = {"format": _name(FORMAT), "id": ident, "name": build.name, "build": settings, "bases": bases}
    takes_over = publishing is not None and publishing.take_over
    if owner is not None and not takes_over and (originals := _originals(store, owner)):
        content[_COPY_OF] = [workspace for workspace, _ in originals]
    data = json.dumps(content, indent=1, sort_keys=True).encode()
    if owner is None:
        if store.create(PATH, data):
            return str((_read(store) or content)["id"])
        return claim(store, build, bases, part, publishing=publishing)  # another process was first
    if owner != content:
        store.write(PATH, data)
    return ident


def check_copy(store: Store, dataset: str) -> None:
    """Refuse a copy of a workspace the dataset that the workspace it was copied from publishes.

    Both have one id, so the dataset does not tell them apart.

    Raises:
        ConfigError: the dataset is that of a workspace which is still there.
    """
    owner = _read(store)
    for workspace, published in _originals(store, owner) if owner is not None else []:
        if _place(published) == _place(dataset):
            found = f"{dataset}, which {workspace} publishes, and {store.url} is a copy of that workspace"
            allowed = "a place of its own, or --take-over if that workspace is given up"
            raise ConfigError([Problem("dataset", found, allowed)])


def workspace_id(store: Store) -> str | None:
    """The workspace's id; None if it has none yet. Raises as `definition` does of a newer format."""
    owner = _read(store)
    return str(owner["id"]) if owner is not None and "id" in owner else None


def definition(store: Store) -> Definition:
    """The build last started on a workspace.

    Raises:
        ConfigError: it is not a workspace, or its record cannot be read by this version of geoscribe.
    """
    raw = _read(store)
    if raw is None:
        raise ConfigError([Problem(store.url, f"no {PATH}", "the workspace of a build")])
    try:
        recorded = Build.model_validate(renamed(raw["build"]))
        bases = {region.name: dict(raw["bases"][region.name]) for region in recorded.regions}
        if not all({"sites", *(stage.name for stage in STAGES)} <= base.keys() for base in bases.values()):
            raise KeyError("bases")
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        found = "the record of another version of geoscribe, whose build files were others"
        raise ConfigError(
            [Problem(f"{store.url}/{PATH}", found, "first `geoscribe build` with the build file")]
        ) from error
    here = _place(store.url)
    return Definition(recorded.model_copy(update={"workspace": here}), bases, moved=_place(recorded.workspace) != here)


def _place(url: str) -> str:
    return url.rstrip("/") if "://" in url else str(Path(url).resolve())


def _is_of_record(dataset: str, owner: dict[str, Any]) -> bool:
    recorded = owner["build"].get("dataset") if isinstance(owner["build"], dict) else None
    return isinstance(recorded, str) and "workspace" in owner["build"] and _place(recorded) == _place(dataset)


def _originals(store: Store, owner: dict[str, Any]) -> list[tuple[str, str]]:
    """The workspaces that one was copied from, as far as they are still there, and the dataset of each."""
    recorded = owner["build"].get("workspace") if isinstance(owner["build"], dict) else None
    copied_from = owner.get(_COPY_OF)
    places = [recorded, *(copied_from if isinstance(copied_from, list) else [])]
    here = _place(store.url)
    found = {}
    for place in places:
        if isinstance(place, str) and _place(place) != here and (there := _same_id(place, store, owner.get("id"))):
            found[_place(place)] = there
    return list(found.items())


def _same_id(place: str, store: Store, ident: Any) -> str | None:
    """The dataset of the workspace at a place, if there is one with this id that is not `store` by another name."""
    try:
        other = open_store(place, read_only=True)
        if store.root is not None and other.root is not None and store.root.samefile(other.root):
            return None
        raw = json.loads(other.read(PATH))
        dataset = raw["build"]["dataset"] if ident is not None and raw["id"] == ident else None
    except (ConfigError, MachineError, OSError, ValueError, LookupError, TypeError, RecursionError):
        return None  # moved, then; or out of reach
    return dataset if isinstance(dataset, str) else None


def _same_for_all_parts(owner: dict[str, Any], build: Build, bases: dict[str, dict[str, str]]) -> None:
    wanted = build.model_dump(mode="json", exclude=_HOW)
    there = {key: value for key, value in owner["build"].items() if key not in _HOW}
    other = sorted(key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key))
    if other or owner["bases"] != bases:
        what = ", ".join(other) or "the inputs that it names, or the version of geoscribe"
        allowed = "one build file for all parts; `geoscribe build FILE --stages sites` starts a changed one"
        raise ConfigError([Problem("--part", f"another build file than the workspace's, in {what}", allowed)])


def _read(store: Store) -> dict[str, Any] | None:
    where = f"{store.url}/{PATH}"
    try:
        raw = json.loads(store.read(PATH))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(where, str(error), "the file that a build wrote")]) from error
    if not isinstance(raw, dict) or not {"name", "build", "bases"} <= raw.keys():
        raise ConfigError([Problem(where, "something else than a build", "the file that a build wrote")])
    match = re.fullmatch(r"geoscribe-workspace-([1-9]\d{0,5})", str(raw.get("format", _name(1))))
    number = int(match[1]) if match else None
    if number is None or number > FORMAT:
        allowed = f"up to {FORMAT}: this version of geoscribe is older than what wrote the workspace"
        raise ConfigError([Problem(where, f"format {raw['format'] if number is None else number}", allowed)])
    if number < FORMAT:
        _tell_that_older(store.url, number)
    return raw


@functools.cache  # a command reads the record several times
def _tell_that_older(url: str, number: int) -> None:
    log.warning("%s is of an older format (%d); the next build brings it up to date", url, number)


def _name(number: int) -> str:
    return f"geoscribe-workspace-{number}"
