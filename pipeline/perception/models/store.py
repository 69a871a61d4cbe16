"""The folder that named models are kept in: what is there, and whether it is what the listing says.

A model is a folder of its name. The SHA-256 of each file is that of the listing or, where that states none, the one in
`lock.json`, which the first look at the file writes: from then on another file under the same name is refused.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import platformdirs

from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.perception.models.listing import ModelFile, NamedModel, listing

FOLDER_VARIABLE = "GEOSCRIBE_MODELS"
"""Environment variable with the folder, for machines that share one; the user's cache folder without it."""
LOCK = "lock.json"


@dataclass(frozen=True)
class ModelInUse:
    """A model's files, wherever they lie, and what the rows and the card say of them."""

    name: str
    """The listing's name, or the file's without its ending."""
    files: tuple[Path, ...]
    sha256: str
    """SHA-256 of the file; of several, of the text that `sha256sum` prints of them in the order of their names."""
    listed: NamedModel | None = None
    """None for a model that a build gives by its path."""

    @property
    def mark(self) -> str:
        """Name and the start of the SHA-256, as they stand in every cue."""
        return f"{self.name} {self.sha256[:12]}"

    def credit(self) -> dict[str, str]:
        """The credit line in a dataset's card."""
        model = self.listed
        if model is None:
            known = {"licence": "not stated", "trained_on": "not stated", "source": "a file given by the build"}
        else:
            licence = f"{model.licence} ({model.terms})" if model.terms else model.licence
            known = {"licence": licence, "trained_on": model.trained_on, "source": model.page}
        return {"name": self.name, "sha256": self.sha256, **known}


def models_folder() -> Path:
    """Where named models are kept."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else platformdirs.user_cache_path("geoscribe") / "models"


def listed(name: str, engines: Iterable[str], where: str) -> NamedModel:
    """A model of the listing that one of some engines can take.

    Args:
        name: of the model.
        engines: as the listing calls them.
        where: the setting that names it.

    Raises:
        ConfigError: there is none.
    """
    known = {key: model for key, model in listing().items() if model.engine in set(engines)}
    if name not in known:
        raise ConfigError([Problem(where, repr(name), f"a model for this engine: {', '.join(known)}; or a path")])
    return known[name]


def resolve(model: str | Path, engines: Iterable[str], where: str) -> ModelInUse:
    """A model of the listing, from the folder, or the file at a path.

    Raises:
        ConfigError: no such model in the listing, or no file at the path.
        MachineError: the model is not in the folder, or what is there is not what it should be; it says what to do.
    """
    if isinstance(model, Path):
        if not model.is_file():
            raise ConfigError([Problem(where, f"no file {model}", "a file, or a model of `geoscribe models list`")])
        return ModelInUse(model.stem, (model,), sha256_of(model))
    return stored(model, listed(model, engines, where))


def stored(name: str, model: NamedModel) -> ModelInUse:
    """A model from the folder, checked.

    Raises:
        MachineError: files are absent, or differ from the listing or the lock.
    """
    folder = models_folder() / name
    absent = [file for file in model.files if not (folder / file.name).is_file()]
    if absent:
        raise MachineError(f"the model {name} is not there: geoscribe models get {name}, or {by_hand(name, absent)}")
    found = {file.name: sha256_of(folder / file.name) for file in model.files}
    lock = _read_lock(folder)
    wanted = {file.name: file.sha256 or lock.get(file.name) for file in model.files}
    for file in model.files:
        if wanted[file.name] not in (None, found[file.name]):
            raise MachineError(
                f"{folder / file.name} has the SHA-256 {found[file.name]}, and {wanted[file.name]} is wanted: "
                f"remove it, then geoscribe models get {name}"
            )
    if any(wanted[key] is None for key in wanted):
        write_lock(folder, lock | found)
    return ModelInUse(name, tuple(folder / file.name for file in model.files), _together(found), model)


def by_hand(name: str, files: Iterable[ModelFile]) -> str:
    """Instructions for somebody without a way to the network."""
    model, folder = listing()[name], models_folder() / name
    each = (
        f"{model.address(file)} to {folder / file.name}" + (f" (SHA-256 {file.sha256})" if file.sha256 else "")
        for file in files
    )
    return f"download on another machine {'; '.join(each)}"


def write_lock(folder: Path, sha256: dict[str, str]) -> None:
    """Fix the files' SHA-256.

    Raises:
        MachineError: the folder cannot be written to.
    """
    part = folder / f".{LOCK}.{uuid4().hex}"
    try:
        part.write_text(json.dumps(sha256, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        part.replace(folder / LOCK)
    except OSError as error:
        raise MachineError(
            f"{folder / LOCK} cannot be written ({error}), and without it nothing fixes the files"
        ) from error


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_lock(folder: Path) -> dict[str, str]:
    path = folder / LOCK
    if not path.is_file():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MachineError(f"{path} is damaged ({error}): remove it, if you trust the files beside it") from error
    if not isinstance(lock, dict) or not all(isinstance(value, str) for value in lock.values()):
        raise MachineError(f"{path} is no lock file: remove it, if you trust the files beside it")
    return lock


def _together(sha256: dict[str, str]) -> str:
    if len(sha256) == 1:
        return next(iter(sha256.values()))
    lines = "".join(f"{sha256[name]}  {name}\n" for name in sorted(sha256))
    return hashlib.sha256(lines.encode()).hexdigest()
