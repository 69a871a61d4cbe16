"""A small build of the synthetic world with oracle engines: seconds, no model."""

import copy
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from tests.drawn_once import drawn_once

__all__ = ["drawn_once"]

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 5,
    "workspace": "workspace",
    "dataset": "dataset",
    "regions": [
        {"name": "north", "centre": [59.33, 18.06], "radius_m": 260},
        {"name": "south", "centre": [-33.45, -70.66], "radius_m": 260},
    ],
    "sources": {
        "street": {"town": {"type": "world", "seed": 3, "panoramas": 0.3}},
        "aerial": {"above": {"type": "world", "seed": 3}},
        "map": {"plan": {"type": "world", "seed": 3}},
    },
    "sampling": {"spacing_m": 60, "max_sites": 6, "unit_resolution": 10},
    "imagery": {
        "max_views": 2,
        "long_side_px": 320,
        "anonymiser": "none",
        "chips": {"gsd_m": 0.6, "size_px": 128},
        "quality": {"min_sharpness": 0, "min_contrast": 0, "min_entropy": 0, "max_darkness": 1},
    },
    "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
    "publish": {
        "shard_mb": 0.2,
        "row_group_mb": 0.1,
        "min_duplicate_distance": 0,
        "allow_empty": ["val", "test_seen"],
    },
    "limits": {"workers": 2, "allowed_failed_share": 0.5},
}

SmallBuild = Callable[..., Build]


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A build file's content with changes, whose keys are paths: `sources__street`. The one given stays as it is."""
    made: dict[str, Any] = copy.deepcopy(dict(raw))
    for key, value in changes.items():
        *path, last = key.split("__")
        here: Any = made
        for part in path:
            here = here.setdefault(part, {})
        here[last] = value
    return made


def write_small(folder: Path, changes: Mapping[str, Any]) -> Path:
    """Write the small build's file, with changes, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "build.yaml"
    file.write_text(yaml.safe_dump(changed(SMALL, changes)))
    return file


@pytest.fixture
def small_config(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small build's file, with changes given as dotted keys, and returns its path."""

    return lambda folder=tmp_path, **changes: write_small(folder, changes)


@pytest.fixture
def small_build(small_config: Callable[..., Path]) -> SmallBuild:
    """The small build, loaded."""
    return lambda *args, **changes: load_build(small_config(*args, **changes))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Path]:
    """The folder of a small build with changes that was run to its end, once a process. Not to be written to."""
    folders: dict[str, Path] = {}

    def folder_of(changes: dict[str, Any]) -> Path:
        key = json.dumps(changes, sort_keys=True)
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("finished")
            run_build(load_build(write_small(folders[key], changes)))
        return folders[key]

    return folder_of


@pytest.fixture
def small_finished(finished: Callable[[dict[str, Any]], Path], tmp_path: Path) -> SmallBuild:
    """The small build, loaded, after it was run: a copy of its workspace and its dataset is there."""

    def copied(folder: Path = tmp_path, **changes: Any) -> Build:
        shutil.copytree(finished(changes), folder, dirs_exist_ok=True)
        return load_build(write_small(folder, changes))

    return copied
