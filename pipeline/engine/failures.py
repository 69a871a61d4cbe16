"""Why sites failed, in the words that stand in their rows."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.engine.layers import DamagedLayerError, LayerFile, read_columns
from pipeline.storage import Store

log = logging.getLogger(__name__)


class CommonDetail(NamedTuple):
    """What most sites with one reason say about it."""

    detail: str
    sites: int
    """With just this detail."""
    of: int
    """With the reason."""


def commonest_details(store: Store, files: Iterable[LayerFile]) -> dict[str, CommonDetail]:
    """The commonest detail of each reason for which sites failed; of several equally common the first by name.

    Reads two columns of every table, which takes some milliseconds each. Damaged tables are left out with a warning.

    Args:
        store: The workspace.
        files: Tables of any stages, each up to date.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        try:
            table = read_columns(store, file, ["reason", "detail"])
        except DamagedLayerError as error:
            log.warning("%s", error)
            continue
        for reason, detail in zip(table["reason"].to_pylist(), table["detail"].to_pylist(), strict=True):
            if reason is not None:
                found[reason][detail or ""] += 1
    commonest = {}
    for reason, details in sorted(found.items()):
        detail, sites = min(details.items(), key=lambda item: (-item[1], item[0]))
        commonest[reason] = CommonDetail(detail, sites, details.total())
    return commonest
