"""The encoding of JSON from outside: UTF-8, unless a byte order mark at its start names another."""

import codecs

_MARKS = (  # that of UTF-32-LE begins as UTF-16-LE's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(data: bytes) -> str:
    """Python's name of the encoding; its codec takes the mark off."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")


def in_utf8(data: bytes) -> bytes | str:
    """JSON as `pydantic_core.from_json` takes it: without a mark, and decoded if it is not in UTF-8.

    Raises:
        UnicodeDecodeError: it is not in the encoding that its mark names.
    """
    encoding = encoding_of(data)
    return data.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8-sig" else data.decode(encoding)
