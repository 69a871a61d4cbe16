"""Checks whether a source may be used: its licence is stated, and the terms of its host allow datasets."""

import re
from datetime import datetime

from pipeline.cartography.features import as_utc
from pipeline.config.sources import Credits
from pipeline.errors import Problem
from pipeline.sources.forbidden_hosts import closed_by
from pipeline.sources.origins import address_faults

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_NO_LICENCE = frozenset({"proprietary", "unknown", "none", "noassertion", "various", "other", "n-a", "tbd"})


def check_credits(given: Credits, where: str, problems: list[Problem]) -> None:
    """Add a problem for a licence that is missing or says nothing, and for a missing author."""
    licence = given.licence.strip()
    if not _IDENTIFIER.fullmatch(licence) or licence.lower() in _NO_LICENCE:
        allowed = "an SPDX identifier as CC-BY-4.0, or LicenseRef-... : without a licence the pictures may not be used"
        problems.append(Problem(f"{where}.licence", repr(given.licence), allowed))
    if not given.author.strip():
        problems.append(Problem(f"{where}.author", repr(given.author), "whom to credit"))


def check_open(address: str, agreement: str | None, where: str, problems: list[Problem]) -> bool:
    """Add a problem for an address whose owner forbids datasets, unless a separate agreement is stated.

    Likewise for one that is none, and for a key in it.

    Returns:
        Whether pictures from there may be passed on.
    """
    problems += [Problem(where, found, allowed) for found, allowed in address_faults(address)]
    closed = closed_by(address)
    if closed is None:
        return True
    if not (agreement or "").strip():
        allowed = "an open source (`geoscribe sources list`), or separate_agreement where the source has that key"
        problems.append(Problem(where, f"{closed.title}: {closed.refused} ({closed.terms})", allowed))
    return False


def parse_date(text: str | None, where: str, problems: list[Problem]) -> datetime | None:
    """A date or moment of imagery as it stands in the configuration; adds a problem where it is none."""
    if text is None:
        return None
    found = as_utc(text)
    if found is None:
        problems.append(Problem(where, repr(text), "a date like 2024-06-30"))
    return found
