"""Licences of pictures and map data, in classes ordered by what they require."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

LicenceClass = Literal["public-domain", "attribution", "share-alike", "other"]
Part = Literal["street", "aerial", "drone", "map", "map_data"]
"""Parts of a sample that have terms of their own; `map_data` is what is derived from map data: cues and sentences."""
PARTS: tuple[Part, ...] = get_args(Part)
CLASSES: dict[LicenceClass, str] = {
    "public-domain": "nothing (CC0, public domain)",
    "attribution": "credit (CC-BY, ODC-By, MIT)",
    "share-alike": "credit, and the same licence for what is adapted from it (CC-BY-SA, ODbL)",
    "other": "something else (no commercial use, no changes), or it is not known: read the licence",
}
"""Duties of those who pass the data on."""

# Matched against the whole SPDX identifier (https://spdx.org/licenses/) without regard to case, in this order.
# The permissive code licences are here because photos and maps are found in code repositories under them; they ask
# for the notice to be kept, which is what attribution.parquet does.
_PATTERNS: list[tuple[str, LicenceClass]] = [
    (r"CC0-1\.0|PDDL-1\.0|CC-PDDC|CC-PDM-1\.0|Unlicense|0BSD", "public-domain"),
    (r"LicenseRef-(.+-)?Public-Domain", "public-domain"),
    (r"CC-BY-\d\.\d(-[A-Z]{2,3})?|ODC-By-1\.0|etalab-2\.0|OGL-UK-\d\.0|DL-DE-BY-2\.0", "attribution"),
    (r"MIT(-0)?|BSD-[23]-Clause|Apache-2\.0|ISC|Zlib|CDLA-Permissive-\d\.0", "attribution"),
    (r"CC-BY-SA-\d\.\d(-[A-Z]{2,3})?|ODbL-1\.0|CDLA-Sharing-1\.0|MPL-2\.0", "share-alike"),
]

_HUGGING_FACE = {
    "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "etalab-2.0", "isc", "mit", "mpl-2.0", "unlicense", "zlib",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
}  # fmt: skip


def licence_class(licences: Iterable[str]) -> LicenceClass:
    """The strictest class among SPDX identifiers; unknown and empty identifiers are `other`."""
    return strictest(_class_of(licence) for licence in licences)


def strictest(classes: Iterable[LicenceClass]) -> LicenceClass:
    """The strictest of some classes; `other` of none."""
    return max(classes, key=get_args(LicenceClass).index, default="other")


def hub_licences(licences: Iterable[str]) -> list[str]:
    """The identifiers that a Hugging Face card may name, sorted; others become `other`."""
    known = {"odbl-1.0": "odbl", "pddl-1.0": "pddl"} | {name: name for name in _HUGGING_FACE}
    return sorted({known.get(licence.lower(), "other") for licence in licences})


def _class_of(licence: str) -> LicenceClass:
    for pattern, kind in _PATTERNS:
        if re.fullmatch(pattern, licence, flags=re.IGNORECASE):
            return kind
    return "other"
