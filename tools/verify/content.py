"""The hash of a shard's rows as it is read, by the scheme of the version that wrote the shard."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipeline.publishing.content import SCHEME, SCHEMES, ContentHash


class ShardHash:
    """The hash of rows that are read one row group after the other; `said` is what it should be."""

    def __init__(self, said: str) -> None:
        scheme = next((scheme for scheme in SCHEMES if said.startswith(scheme)), None)
        self._by_row: dict[str, bytes] | None = {} if scheme is None else None
        self._by_column = ContentHash(scheme or SCHEME)

    def add(self, table: pa.Table, rows: list[dict[str, Any]]) -> None:
        """Add a row group, given as a table and as rows."""
        if self._by_row is None:
            self._by_column.add(table)
        else:
            self._by_row.update((str(row["sample_id"]), row_digest(row)) for row in rows)

    def hexdigest(self) -> str:
        """The hash."""
        return self._by_column.hexdigest() if self._by_row is None else content_hash(self._by_row)


def row_digest(row: dict[str, Any]) -> bytes:
    """SHA-256 of a row's content by the older scheme: canonical JSON, pictures by their own hash."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).digest()


def content_hash(digests: dict[str, bytes]) -> str:
    """Hash of a shard's rows by the older scheme, given each row's digest by its sample_id."""
    return hashlib.sha256(b"".join(digests[sample_id] for sample_id in sorted(digests))).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}")
