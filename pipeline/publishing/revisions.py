"""Revisions of a dataset in one place: which is in force, which are kept, and what belongs to none.

    manifest.json, README.md          of the revision in force; the only files that are ever replaced,
                                      with croissant.json and CITATION.cff
    revisions/<digest>/               what a revision has for itself: its manifest, its card, its tables
    data/<split>/                     shards, each of one revision or of several
    distractors/                      files of distractors, likewise

Everything but these is named by its content and never changed. A revision is put in force by replacing the card and its
like and then the manifest, when all that they list is there; what no kept revision lists goes after that. So whoever
goes by the card or by the manifest finds the old or the new revision, whole, wherever a publisher is killed.

In a folder one publisher works at a time, held by a lock. A bucket knows no locks: there an unlisted file may be that
of another publisher at work, and stays for a day; and whoever has published looks whether all is still there.
"""

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from pipeline.errors import ConfigError, Problem
from pipeline.publishing import manifest
from pipeline.publishing.distractors import FILE_NAME as DISTRACTORS
from pipeline.publishing.formats import FILES_1, SHARD_NAME_1, format_of, name_shards_in_card_1, read_manifest
from pipeline.publishing.manifest import FORMAT, FileEntry, Manifest
from pipeline.publishing.shards import SHARD_NAME
from pipeline.stopping import check_stop
from pipeline.storage import Entry, Store

log = logging.getLogger(__name__)

MARKER = "_publishing.json"
"""Says whose a place is in which the first publish has not finished."""
_ARCHIVED = r"revisions/(?P<digest>[0-9a-f]{16})/manifest\.json"
_OWN = (SHARD_NAME, DISTRACTORS, r"revisions/[0-9a-f]{16}/[a-zA-Z._-]+", MARKER, SHARD_NAME_1, FILES_1)
"""Patterns of what publishing writes, in this format and in format 1, and may remove. Other files are left alone."""
_GRACE = timedelta(days=1)
_LOOK_AGAIN_S = 0.2


class OvertakenError(Exception):
    """Another publisher removed files of this revision. Publishing again makes them again."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(f"{len(missing)} files of the dataset went while it was published, such as {missing[0]}")


@dataclass(frozen=True)
class Standing:
    """The content of a dataset's place at one moment."""

    entries: dict[str, Entry]
    """By path."""
    current: Manifest | None
    """Manifest of the revision in force."""
    archived: dict[str, Manifest]
    """Manifest of each revision that has a folder, by digest."""
    card: str | None
    """SHA-256 of the card in force."""

    def missing(self, revision: Manifest) -> list[str]:
        """The files that a revision lists and that are not there, or not in full length."""
        return [file.path for file in revision.listed if not self.has(file)]

    def has(self, file: FileEntry) -> bool:
        """Whether a file is there in full length."""
        entry = self.entries.get(file.path)
        return entry is not None and entry.size == file.bytes

    @property
    def revisions(self) -> list[Manifest]:
        """The revision in force, if there is one, and after it all that have a folder."""
        return [*([self.current] if self.current is not None else []), *self.archived.values()]

    @property
    def sound(self) -> Manifest | None:
        """The revision in force, if it is whole and the card is its own."""
        there = self.current is not None and self.card == self.current.card_sha256 and not self.missing(self.current)
        return self.current if there else None

    def kept(self, keep: int) -> list[Manifest]:
        """The revision in force, up to `keep` that went before, and that of the card in force, should it be another."""
        kept: list[Manifest] = []
        revision = self.current
        while revision is not None and len(kept) <= keep:
            kept.append(revision)
            revision = self.archived.get(revision.previous or "")
        return kept + [other for other in self.archived.values() if other.card_sha256 == self.card]


def look(out: Store) -> Standing:
    """Read what is there now.

    Raises:
        ConfigError: a newer version of geoscribe published there.
    """
    entries = {entry.path: entry for entry in out.entries()}
    found = {path: _manifest(out, path) for path in entries if path == manifest.PATH or re.fullmatch(_ARCHIVED, path)}
    current = found.pop(manifest.PATH, None)
    archived = {revision.digest: revision for revision in found.values() if revision is not None}
    text = _read(out, manifest.CARD) if manifest.CARD in entries else None
    return Standing(entries, current, archived, hashlib.sha256(text).hexdigest() if text is not None else None)


def check_owner(out: Store, standing: Standing, name: str, workspace: str | None) -> None:
    """Make sure that a place is empty or the build's own.

    Args:
        out: the place.
        standing: what is there.
        name: of the build.
        workspace: id of the workspace to publish from; None to replace what another one of that name published.

    Raises:
        ConfigError: something else is there.
    """
    owner = _owner(out, standing)
    if standing.entries and (owner is None or owner.name != name):
        found = f"{out.url}, which holds " + (
            f"the dataset of build {owner.name!r}" if owner else "files of another kind"
        )
        raise ConfigError([Problem("dataset", found, f"an empty folder, or one that build {name!r} published into")])
    if owner is not None and workspace is not None and owner.workspace not in (None, workspace):
        found = f"{out.url}, which another workspace of a build called {name!r} published"
        allowed = "a place of its own, or --take-over if that workspace is gone for good"
        raise ConfigError([Problem("dataset", found, allowed)])


def take_over(out: Store, standing: Standing, name: str, workspace: str | None) -> None:
    """Mark a place that is empty or the build's own as the build's."""
    if standing.current is None:
        content = {"format": f"geoscribe-dataset-{FORMAT}", "name": name, "workspace": workspace}
        out.write(MARKER, (json.dumps(content) + "\n").encode())
    elif standing.current.format_number == 1:
        name_shards_in_card_1(out, standing.current)


@dataclass(frozen=True)
class _Owner:
    """The owner of a place."""

    name: str
    workspace: str | None
    """Id of its workspace; None where that was not recorded yet."""


def _owner(out: Store, standing: Standing) -> _Owner | None:
    revision = next(iter(standing.revisions), None)
    return _Owner(revision.name, revision.workspace) if revision is not None else _marked(out, standing)


@contextlib.contextmanager
def publishing_alone(out: Store) -> Iterator[bool]:
    """Wait until nobody else publishes to a folder, and keep others waiting; False where the place knows no locks.

    Raises:
        BuildStopped: the user stopped the build while it waited.
    """
    told = False
    while True:
        check_stop()
        with out.locked("publish") as held:
            if held is not False:
                yield held is True
                return
        if not told:
            log.warning("another process is publishing to %s; waiting until it is done", out.url)
            told = True
        time.sleep(_LOOK_AGAIN_S)


def put_in_force(out: Store, revision: Manifest, root: Mapping[str, bytes], standing: Standing) -> None:
    """Make a revision, of which all files are in place, the one that readers see.

    Args:
        out: the dataset's place.
        revision: its manifest.
        root: those of its files that stand in the root as well, by name; the card among them.
        standing: what was there before.

    Raises:
        OvertakenError: another publisher removed some of it; see the module's first lines.
    """
    previous = standing.current
    if previous is not None and previous.digest not in standing.archived:  # that of a format without archives
        out.write(archive(previous.digest), out.read(manifest.PATH))
    data = (revision.model_dump_json(indent=2) + "\n").encode()
    out.write(archive(revision.digest), data)
    for name in sorted(root):
        out.write(name, root[name])
    out.write(manifest.PATH, data)
    if MARKER in standing.entries or previous is None:
        out.delete(MARKER)  # the manifest says whose the place is
    there = look(out)
    missing = there.missing(there.current) if there.current is not None else [manifest.PATH]
    if missing:
        raise OvertakenError(missing)
    if there.current is not None and there.card != there.current.card_sha256:  # another publisher came between the two
        for name in sorted(root):
            out.write(name, out.read(folder(there.current.digest) + name))


def tidy(out: Store, keep: int, *, alone: bool, superseded: bool = False) -> int:
    """Remove what no kept revision lists; returns how many files. Files that publishing never writes are left alone.

    Args:
        out: the dataset's place.
        keep: how many revisions are kept beside the one in force.
        alone: whether nobody else can be publishing there; otherwise only what is older than a day is removed, by the
            place's own clock.
        superseded: whether what another revision lists goes at once all the same.
    """
    standing = look(out)
    if standing.current is None:
        return 0
    kept = standing.kept(keep)
    listed = {path for revision in kept for path in (archive(revision.digest), *(f.path for f in revision.listed))}
    before = None if alone else out.now() - _GRACE
    current = {revision.digest for revision in kept}
    others = [other for other in standing.archived.values() if superseded and other.digest not in current]
    known = {path for revision in others for path in (archive(revision.digest), *(f.path for f in revision.listed))}
    gone = [
        path
        for path, entry in standing.entries.items()
        if path not in listed and is_own(path) and (before is None or path in known or entry.modified < before)
    ]
    # A manifest goes before what it lists: at no time is one there that lists what is gone.
    for path in sorted(gone, key=lambda path: (re.fullmatch(_ARCHIVED, path) is None, path)):
        out.delete(path)
    if alone and out.root is not None:
        for emptied in {(out.root / path).parent for path in gone}:
            with contextlib.suppress(OSError):  # not empty
                emptied.rmdir()
    return len(gone)


def folder(digest: str) -> str:
    """The folder of a revision, with a slash at its end."""
    return f"revisions/{digest}/"


def archive(digest: str) -> str:
    """Where a revision's manifest stays."""
    return folder(digest) + manifest.PATH


def is_own(path: str) -> bool:
    """Whether a path is one that publishing writes to, but for the card and the manifest in force."""
    return any(re.fullmatch(pattern, path) for pattern in _OWN)


def _manifest(out: Store, path: str) -> Manifest | None:
    data = _read(out, path)
    try:
        return read_manifest(data, f"{out.url}/{path}") if data is not None else None
    except ValidationError:
        return None


def _marked(out: Store, standing: Standing) -> _Owner | None:
    """The build whose first publish did not finish."""
    data = _read(out, MARKER) if MARKER in standing.entries else None
    if data is None or format_of(data, f"{out.url}/{MARKER}") is None:
        return None
    content = json.loads(data)
    return _Owner(str(content.get("name")), content.get("workspace"))


def _read(out: Store, path: str) -> bytes | None:
    """A file's content; None where another publisher has just removed it."""
    try:
        return out.read(path)
    except FileNotFoundError:
        return None
