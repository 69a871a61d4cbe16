"""Digests: what names, recipes and random choices are made from. The same on every machine and in every process."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_WHOLE_BELOW = 64 * 2**20
_END = 2**20


def digest(*parts: Any, length: int = 12) -> str:
    """Hexadecimal digest of values that JSON can hold, of pydantic models among them."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)
    return digest_bytes(text.encode(), length=length)


def digest_bytes(data: bytes, *, length: int = 16) -> str:
    """Hexadecimal digest of bytes."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()[:length]


def digest_file(path: Path) -> str:
    """Digest of a file's size and content; of the first and last MiB where it is larger than 64 MiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BELOW:
            return digest(size, digest_bytes(file.read()))
        head = file.read(_END)
        file.seek(-_END, 2)
        return digest(size, digest_bytes(head), digest_bytes(file.read()))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return value.name  # where a file lies does not matter, its content does and is hashed apart
    raise TypeError(f"{type(value).__name__} has no place in a digest")
