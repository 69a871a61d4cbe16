"""Named models into their folder: from their publisher through the one network client, or from files at hand."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from yarl import URL

from pipeline.errors import MachineError, SiteError
from pipeline.net.base import Client, Provider, Request, Session
from pipeline.perception.models.listing import ModelFile, NamedModel
from pipeline.perception.models.store import ModelInUse, by_hand, models_folder, sha256_of, stored

PIECE_BYTES = 8_000_000
"""Files come in ranges of this length: each is asked for again on its own where the connection breaks."""
REDIRECTS = {
    "huggingface.co": ("https://*.huggingface.co", "https://*.hf.co"),
    "github.com": ("https://*.githubusercontent.com",),
}
"""Where hosts keep what they are asked for; a redirect to anywhere else is refused."""

Told = Callable[[str, int, int], None]
"""File, bytes that are there, bytes in all."""


def download(name: str, model: NamedModel, client: Client, told: Told) -> ModelInUse:
    """Download what the folder lacks of a model, and check it.

    A file is put in place whole and checked, or not at all.

    Raises:
        MachineError: a file cannot be had, is larger than the listing allows or not the one that it names, or the
            folder cannot be written; it says how to do without the network.
    """
    folder = _folder(name)
    for file in model.files:
        if (folder / file.name).is_file():
            continue
        try:
            _put(folder, file, lambda part, file=file: _fetch(model, file, client, part, told))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        except SiteError as error:
            raise MachineError(
                f"{file.name} of {name} could not be had ({error.detail}): {by_hand(name, [file])}"
            ) from error
    return stored(name, model)


def take(name: str, model: NamedModel, source: Path) -> ModelInUse:
    """Copy a model's files from a folder, or its one file from a path, and check them.

    Raises:
        MachineError: files are absent or not those that the listing names, or the folder cannot be written.
    """
    single = source.is_file() and len(model.files) == 1
    found = {file.name: source if single else source / file.name for file in model.files}
    absent = [str(path) for path in found.values() if not path.is_file()]
    if absent:
        raise MachineError(f"no file {', '.join(absent)}: the model {name} is {', '.join(found)}")
    folder = _folder(name)
    for file in model.files:
        _put(folder, file, lambda part, file=file: shutil.copyfile(found[file.name], part))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return stored(name, model)


def _folder(name: str) -> Path:
    folder = models_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{folder} cannot be made ({error})") from error
    return folder


def _put(folder: Path, file: ModelFile, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, check it, put it there."""
    part = folder / f".{file.name}.{uuid4().hex}"
    try:
        write(part)
        found = sha256_of(part)
        if file.sha256 not in (None, found):
            raise MachineError(f"{file.name}: the SHA-256 is {found}, and {file.sha256} is wanted; nothing was kept")
        part.replace(folder / file.name)
    except OSError as error:
        raise MachineError(f"{folder / file.name} cannot be written ({error})") from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(model: NamedModel, file: ModelFile, client: Client, part: Path, told: Told) -> None:
    url = model.address(file)
    session = client.session(_provider(url))
    done, total = 0, file.max_bytes
    with part.open("wb") as out:
        while done < total:
            piece, total = _piece(session, url, done, file.max_bytes)
            out.write(piece)
            done += len(piece)
            told(file.name, done, total)


def _piece(session: Session, url: str, first: int, max_bytes: int) -> tuple[bytes, int]:
    """The bytes from `first` on, and how many there are in all."""
    answer = session.fetch(Request(url, first=first, length=PIECE_BYTES, max_bytes=PIECE_BYTES))
    stated = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("content-range", "").strip())
    if stated is None:
        raise MachineError(f"{url}: its server does not say how long the file is")
    total = int(stated[1])
    if total > max_bytes:
        raise MachineError(f"{url} has {total:,} bytes, and the listing allows {max_bytes:,}: it is another file")
    return answer.body, total


def _provider(url: str) -> Provider:
    parsed = URL(url)
    origin = str(parsed.origin())
    return Provider(
        name=f"models of {parsed.host}",
        origins=(origin, *REDIRECTS.get(parsed.host or "", ())),
        per_s=2.0,
        at_once=1,
    )
