"""A public S3 bucket as a file system for Arrow, listed and read through the network client.

Arrow has an S3 client of its own. It follows redirects to any host, keeps no limits and no cache, so it is not used.
The requests are those of https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and plain GETs of
ranges, without credentials.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
import pyarrow as pa
from defusedxml import DefusedXmlException
from pyarrow import fs

from pipeline.errors import SiteError
from pipeline.net.base import Request, Session, Verdict
from pipeline.net.status import by_status
from pipeline.sources.range_file import RangeFile
from pipeline.sources.wire import one_line
from schemas.reasons import Reason

_MOST_PAGES = 50
"""Maximum number of pages of a listing, at 1,000 objects each."""
_MOST_BYTES = 5_000_000
_KEPT = 16
"""Blocks of a file: each part of it is read once."""
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,300})</Message>")
_REFUSED = frozenset(
    {"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch"}
)


@dataclass(frozen=True)
class Bucket:
    """Where a bucket is."""

    name: str
    address: str
    """Address of its root, without a slash at the end."""

    @classmethod
    def at(cls, name: str, region: str, endpoint: str | None) -> "Bucket":
        """A bucket of Amazon's in a region, or of another server at an endpoint.

        Args:
            name: of the bucket.
            region: of Amazon's, as `us-west-2`.
            endpoint: address of another server; its buckets are folders there.
        """
        if endpoint is not None:
            return cls(name, f"{endpoint.rstrip('/')}/{quote(name, safe='')}")
        if "." in name:  # a name with dots has no certificate as a host
            return cls(name, f"https://s3.{region}.amazonaws.com/{quote(name, safe='')}")
        return cls(name, f"https://{name}.s3.{region}.amazonaws.com")


def file_system(session: Session, bucket: Bucket) -> fs.FileSystem:
    """The bucket for Arrow, to read only. Paths start with the bucket's name, as those of Arrow's own S3 file system.

    What the session raises (`SiteError`, `MachineError`, `BuildStopped`) comes through Arrow as it is.
    """
    return fs.PyFileSystem(_Files(session, bucket))


def s3_verdict(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interpret an answer of an S3 server: its faults are XML with a code."""
    found = _CODE.search(body[:4_000]) if status >= 300 else None
    if found is None:
        return by_status(status, headers, body)
    code, text = found[1].decode(), _MESSAGE.search(body[:4_000])
    detail = f"{code}: {one_line(text[1].decode('utf-8', 'replace'))}" if text else code
    if code in {"PermanentRedirect", "TemporaryRedirect"}:
        region = one_line(headers.get("x-amz-bucket-region", "another region"))
        return Verdict("fatal", Reason.REFUSED, f"{detail} The bucket is in {region}: set s3_region")
    if code in _REFUSED:
        mend = "it cannot be read without credentials, or is not there: is `release` right?"
        return Verdict("fatal", Reason.REFUSED, f"{detail}; {mend}")
    verdict = by_status(status, headers, body)
    return Verdict(verdict.kind, verdict.reason, detail)


@dataclass(frozen=True)
class _Entry:
    """An object, or what some objects' keys begin with."""

    key: str
    size: int | None
    """Bytes; None for a folder."""


class _Files(fs.FileSystemHandler):  # type: ignore[misc]  # Arrow has no types
    """A `pyarrow.fs.FileSystemHandler` that can list and read."""

    def __init__(self, session: Session, bucket: Bucket) -> None:
        self._session = session
        self._bucket = bucket
        self._sizes: dict[str, int] = {}
        """Sizes of the objects that were listed, by key."""

    def get_type_name(self) -> str:
        return "s3 through the network client"

    def normalize_path(self, path: str) -> str:
        return path.strip("/")

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        entries = list(self._list(self._key(selector.base_dir) + "/", recursive=selector.recursive))
        if not entries and not selector.allow_not_found:
            raise FileNotFoundError(selector.base_dir)
        return [self._of(entry) for entry in entries]

    def open_input_file(self, path: str) -> pa.NativeFile:
        key = self._key(path)
        file = RangeFile(
            self._session, f"{self._bucket.address}/{quote(key, safe='/=')}", _KEPT, size=self._sizes.get(key)
        )
        return pa.PythonFile(_Reader(file), mode="r")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def _key(self, path: str) -> str:
        bucket, _, key = path.strip("/").partition("/")
        if bucket != self._bucket.name:
            raise FileNotFoundError(path)
        return key

    def _info(self, path: str) -> fs.FileInfo:
        key = self._key(path)
        for entry in self._list(key, recursive=False, pages=1):
            if entry.key.rstrip("/") == key:
                return self._of(_Entry(key, entry.size))
        return fs.FileInfo(path, fs.FileType.NotFound)

    def _of(self, entry: _Entry) -> fs.FileInfo:
        path = f"{self._bucket.name}/{entry.key.rstrip('/')}"
        if entry.size is None:
            return fs.FileInfo(path, fs.FileType.Directory)
        self._sizes[entry.key] = entry.size
        return fs.FileInfo(path, fs.FileType.File, size=entry.size)

    def _list(self, prefix: str, *, recursive: bool, pages: int = _MOST_PAGES) -> Iterator[_Entry]:
        """List the objects whose keys begin with a prefix.

        Raises:
            SiteError: a reason of the network; BAD_ANSWER for what is no listing, ANSWER_TOO_LARGE for an endless one.
        """
        asked = (("list-type", "2"), ("prefix", prefix), *(() if recursive else (("delimiter", "/"),)))
        more: tuple[tuple[str, str], ...] = ()
        for _ in range(pages):
            request = Request(f"{self._bucket.address}/", params=asked + more, max_bytes=_MOST_BYTES)
            entries, token = _listing(self._session.fetch(request).body, self._bucket.address)
            yield from (entry for entry in entries if entry.key.startswith(prefix) and entry.key != prefix)
            if token is None:
                return
            more = (("continuation-token", token),)
        if pages == _MOST_PAGES:
            what = f"{self._bucket.address}/{prefix}: more than {_MOST_PAGES} pages"
            raise SiteError(Reason.ANSWER_TOO_LARGE, what)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("a release is read only")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = move = copy_file = _refuse
    open_output_stream = open_append_stream = _refuse


class _Reader:
    """A file object over ranges, as Arrow wants it."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file
        self._place = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Bytes from here on."""
        data = self._file.read(self._place, size if size >= 0 else self._file.size() - self._place)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        start = (0, self._place, self._file.size() if whence == 2 else 0)[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Where it stands."""
        return self._place

    def close(self) -> None:
        """Let go of it."""
        self.closed = True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """No."""
        return False


def _listing(body: bytes, where: str) -> tuple[list[_Entry], str | None]:
    """The entries of a page, and what asks for the next."""
    try:
        entries, token = [], None
        for part in defusedxml.ElementTree.fromstring(body):
            fields = {_name(field): field.text or "" for field in part}
            if _name(part) == "Contents":
                entries.append(_Entry(fields["Key"], int(fields["Size"])))
            elif _name(part) == "CommonPrefixes":
                entries.append(_Entry(fields["Prefix"], None))
            elif _name(part) == "NextContinuationToken":
                token = part.text
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise SiteError(Reason.BAD_ANSWER, f"{where} gives no listing: {error}") from error
    return entries, token


def _name(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]
