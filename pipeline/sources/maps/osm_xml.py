"""What an OSM XML file says and libosmium does not tell: which objects are deleted, and that a reply is incomplete.

Editors keep what somebody has deleted until it is uploaded, with `action="delete"`
(https://wiki.openstreetmap.org/wiki/JOSM_file_format). What the servers' own XML says was deleted has no tags, by which
objects are chosen, while a version before it may stand in the same file. And Overpass puts a `remark` at the end of a
reply that it broke off.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pipeline.errors import ConfigError, Problem
from pipeline.sources.unpacking import unpacked

_HINT = re.compile(rb"""\b(action|visible)\s*=\s*["'](delete|false)["']|<remark""")
_HINT_BYTES = 64
"""Maximum length of one, for those that lie across two pieces of the file."""
_OBJECTS = frozenset({"node", "way", "relation"})


def deleted_objects(path: Path) -> frozenset[str]:
    """Objects whose last word in the file is that they are deleted: `n12`, `w-3`.

    A file in which nothing looks like it is only searched through.

    Args:
        path: OSM XML, packed or not.

    Raises:
        ConfigError: it cannot be unpacked, or says that it is incomplete.
        ValueError, SyntaxError: it is no XML, or declares a document type.
    """
    if not _is_hinted(path):
        return frozenset()
    told = _Told()
    parser = DefusedXMLParser(target=told, forbid_dtd=True)
    try:
        for piece in unpacked(path):
            parser.feed(piece)
        parser.close()
    except DefusedXmlException as error:
        raise ValueError("XML with a document type of its own, which OSM has not") from error
    if "error" in told.remark:
        raise ConfigError(
            [Problem(str(path), f"an incomplete reply ({told.remark[:200]})", "a reply without an error")]
        )
    return frozenset(told.deleted)


def _is_hinted(path: Path) -> bool:
    before = b""
    for piece in unpacked(path):
        if not before and b"\0" in piece[:4]:  # UTF-16
            return True
        if _HINT.search(before + piece):
            return True
        before = piece[-_HINT_BYTES:]
    return False


class _Told:
    """Target of the XML parser."""

    def __init__(self) -> None:
        self.deleted: set[str] = set()
        self.remark = ""
        self._in_remark = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._in_remark = tag == "remark"
        if tag in _OBJECTS:
            gone = attributes.get("action") == "delete" or attributes.get("visible") == "false"
            (self.deleted.add if gone else self.deleted.discard)(f"{tag[0]}{attributes.get('id')}")

    def data(self, text: str) -> None:
        if self._in_remark:
            self.remark += text.strip()

    def end(self, _: str) -> None:
        self._in_remark = False

    def close(self) -> None:
        """Nothing is left to do."""
