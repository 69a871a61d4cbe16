"""Prompt sets by name: a folder each, with a manifest and the files that hold its words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prompts.replies import TURNS, Turn

FOLDER = Path(__file__).resolve().parent
"""Where the prompt sets lie."""

_MANIFEST = "manifest.yaml"
STANDING = ("system", "picture", "ask")
"""Templates that every dialogue has beside one a turn: the rules, a picture's caption, and a turn's question."""


class PromptSetError(ValueError):
    """There is no such prompt set, or it cannot be used. `found` and `allowed` are for a message to the user."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(f"found {found}; allowed: {allowed}")
        self.found = found
        self.allowed = allowed

    def __reduce__(self) -> tuple[type["PromptSetError"], tuple[str, str]]:
        return PromptSetError, (self.found, self.allowed)


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    language: str = Field(pattern=r"^[a-z]{2}$")
    kind: Literal["composer", "dialogue"]
    turns: tuple[Turn, ...] = ()
    cues: bool = True

    @model_validator(mode="after")
    def _in_order(self) -> "_Manifest":
        if self.kind == "dialogue" and "compose" not in self.turns:
            raise ValueError("a dialogue has the turn compose")
        if list(self.turns) != [turn for turn in TURNS if turn in self.turns]:
            raise ValueError(f"turns stand in this order, each once: {', '.join(TURNS)}")
        if "ground" in self.turns and not self.cues:
            raise ValueError("the turn ground rules on cues, and cues is false")
        return self


@dataclass(frozen=True)
class PromptSet:
    """A prompt set as it was read."""

    name: str
    version: str
    language: str
    """ISO 639-1 code of what is written with it."""
    kind: Literal["composer", "dialogue"]
    """The captioner that it is made for."""
    files: Mapping[str, str]
    """Text of every other file, by its path in the folder."""
    digest: str
    """Hexadecimal digest of the names and bytes of all files, the manifest among them."""
    turns: tuple[Turn, ...] = ()
    """Turns of a dialogue, in order."""
    cues: bool = True
    """Whether the model is given the cues; false is for ablations."""


def prompt_sets() -> list[str]:
    """Names of the prompt sets that there are, sorted."""
    return sorted(manifest.parent.name for manifest in FOLDER.glob(f"*/{_MANIFEST}"))


def load_prompt_set(name: str) -> PromptSet:
    """Read a prompt set.

    Raises:
        PromptSetError: there is none of that name, or its manifest is malformed.
    """
    known = prompt_sets()
    if name not in known:
        raise PromptSetError(repr(name), f"one of {', '.join(known)}")
    folder = FOLDER / name
    content = {str(path.relative_to(folder).as_posix()): path.read_bytes() for path in _files(folder)}
    try:
        manifest = _Manifest.model_validate(yaml.safe_load(content[_MANIFEST]))
        files = {path: data.decode() for path, data in content.items() if path != _MANIFEST}
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise PromptSetError(
            f"{name}/{_MANIFEST}: {error}", "name, version, language, kind and turns, in UTF-8"
        ) from error
    if manifest.name != name:
        raise PromptSetError(f"the name {manifest.name!r} in {name}/{_MANIFEST}", f"the folder's name, {name!r}")
    if manifest.kind == "dialogue":
        wanted = {f"{part}.jinja" for part in (*STANDING, *manifest.turns)}
        if set(files) != wanted:
            found = f"{name} with the files {', '.join(sorted(files))}"
            raise PromptSetError(found, f"one template a turn and no other: {', '.join(sorted(wanted))}")
    return PromptSet(
        manifest.name,
        manifest.version,
        manifest.language,
        manifest.kind,
        MappingProxyType(files),
        _digest(content),
        manifest.turns,
        manifest.cues,
    )


def _files(folder: Path) -> list[Path]:
    # An editor's backup or a cache beside the files is no part of the set.
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".yaml", ".json", ".jinja", ".txt"))


def _digest(content: Mapping[str, bytes]) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for path in sorted(content):
        for part in (path.encode(), content[path]):
            whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()
