"""Keys of build files that have another name now: named to whoever still writes them, and read in old workspaces."""

import copy
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

_HERE = {
    "publish.splits": {"test": "test_seen"},
    "sources.street.*": {"picture_hosts": "allowed_hosts"},
    "sources.aerial.*": {"asset_hosts": "allowed_hosts"},
    "sources.drone.*": {"asset_hosts": "allowed_hosts"},
    "captioner": {
        "most_views": "max_views",
        "least_seen": "min_seen",
        "least_sure": "min_confidence",
        "from_map": "max_map_share",
    },
    "grounding": {"least_words": "min_words", "most_repeated": "max_repeated", "most_contradicted": "max_contradicted"},
    "grounding.verifier_floor": {"least_controls": "min_controls"},
    "network": {"longest_wait_s": "max_wait_s"},
}
"""By section, with `*` for a name: the old name of each key and the new one. With a dot the key is in a section now."""
_CREDITED = {key: f"credits.{key}" for key in ("author", "licence", "link")}
_RENAMED = _HERE | {
    f"sources.{kind}.*": _HERE.get(f"sources.{kind}.*", {}) | _CREDITED for kind in ("aerial", "drone", "map")
}


def new_name(path: str) -> str | None:
    """Present name of a key (`sources.map.osm.author`); None if it never had another name."""
    section, _, key = path.rpartition(".")
    found = (names for where, names in _RENAMED.items() if fnmatchcase(section, where))
    return next((names[key] for names in found if key in names), None)


def renamed(build: dict[str, Any]) -> dict[str, Any]:
    """A recorded build with the names that keys have now."""
    build = copy.deepcopy(build)
    for where, names in _RENAMED.items():
        for section in _sections(build, where.split(".")):
            for old, new in names.items():
                if old in section:
                    *inner, key = new.split(".")
                    place = section.setdefault(inner[0], {}) if inner else section
                    place[key] = section.pop(old)
    return build


def _sections(value: Any, parts: list[str]) -> Iterator[dict[str, Any]]:
    """The sections at a path, where `*` is any key."""
    if not isinstance(value, dict):
        return
    if not parts:
        yield value
    elif parts[0] == "*":
        for below in value.values():
            yield from _sections(below, parts[1:])
    else:
        yield from _sections(value.get(parts[0]), parts[1:])
