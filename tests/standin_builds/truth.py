"""What a stand-in dealt, as its plan and its log tell, and what must have become of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from schemas.reasons import Reason
from schemas.records import ImageryRow
from tools.dev.standin import FAULTS, Entry, Fault, Kind, Part, Plan, Provider
from tools.dev.standin.fault_rules import Dealer
from tools.dev.standin.running import SEED

PICTURE_REASONS = {
    Fault.UNDECODABLE: Reason.IMAGE_TRUNCATED,
    Fault.IMAGE_BOMB: Reason.IMAGE_TOO_LARGE,
    Fault.GZIP_BOMB: Reason.ANSWER_TOO_LARGE,
    Fault.NO_CONTENT: Reason.GONE,
    Fault.BAD_REQUEST: Reason.REFUSED,
    Fault.FORBIDDEN: Reason.REFUSED,
    Fault.NOT_FOUND: Reason.GONE,
    Fault.GONE: Reason.GONE,
    Fault.REDIRECT_HOST: Reason.UNSAFE_ADDRESS,
    Fault.REDIRECT_LOOPBACK: Reason.UNSAFE_ADDRESS,
    Fault.REDIRECT_METADATA: Reason.UNSAFE_ADDRESS,
    Fault.REDIRECT_LOOP: Reason.BAD_ANSWER,
}
"""Why a photo cannot be had whose picture has this fault."""
NO_TILE = frozenset({Fault.NO_CONTENT, Fault.NOT_FOUND, Fault.GONE})
"""A tile server's way to say that it has no imagery there."""
TILE_REASONS = {
    **{fault: reason for fault, reason in PICTURE_REASONS.items() if fault not in NO_TILE},
    Fault.UNDECODABLE: Reason.BAD_ANSWER,
    Fault.IMAGE_BOMB: Reason.BAD_ANSWER,
    Fault.BLANK: Reason.BLANK_TILE,
}
ITEM_REASONS = {
    Fault.ZERO_POSITION: Reason.BAD_POSITION,
    Fault.SWAPPED: Reason.BAD_POSITION,
    Fault.NO_LICENCE: Reason.UNUSABLE_LICENCE,
    Fault.PROPRIETARY: Reason.UNUSABLE_LICENCE,
}
"""Why a photo may not be used of which this is told."""
UNREADABLE = frozenset({Fault.NAN, Fault.INFINITY})
"""A photo of which this is told is no photo, as far as the source can be understood."""
RETOLD = frozenset({Fault.MISSING_KEYS, Fault.LONGITUDE_OVER_180, Fault.ID_TYPES, Fault.WRAPPED_ALTITUDE})
"""Harmless, though what the row says of the photo may be another thing."""
OUTAGE_REASONS = {
    Fault.SERVER_ERROR: Reason.SERVER_ERROR,
    Fault.GATEWAY_TIMEOUT: Reason.SERVER_ERROR,
    Fault.TRUNCATED: Reason.UNREACHABLE,
}


@dataclass(frozen=True)
class Dealt:
    """What a plan dealt in a build of Panoramax and tiles."""

    plan: Plan
    log: list[Entry]

    @cached_property
    def pictures(self) -> dict[str, Fault]:
        """Faults that stay, by photo."""
        return {e.path.split("/")[-2]: fault for e, fault in self._lasting(Part.PICTURE)}

    @cached_property
    def tiles(self) -> dict[str, Fault]:
        """Faults that stay, by `z/x/y`."""
        return {"/".join(e.path.removesuffix(".jpg").split("/")[-3:]): f for e, f in self._lasting(Part.TILE)}

    @cached_property
    def _dealer(self) -> Dealer:
        return Dealer(self.plan, SEED)

    def item(self, photo_id: str) -> Fault | None:
        """What is wrong with what is told of a photo."""
        return self._dealer.item(Provider.PANORAMAX, photo_id)

    def why_not(self, photo_id: str) -> Reason | None:
        """Why a photo can never be had."""
        item = self.item(photo_id)
        if item in ITEM_REASONS:
            return ITEM_REASONS[item]
        return PICTURE_REASONS[self.pictures[photo_id]] if photo_id in self.pictures else None

    def spent(self, part: Part, tries: int) -> list[Entry]:
        """The last try of each request whose tries were all met by a fault."""
        return [e for e in self.log if e.part is part and e.fault in OUTAGE_REASONS and e.attempt == tries]

    def _lasting(self, part: Part) -> Iterable[tuple[Entry, Fault]]:
        for entry in self.log:
            if entry.part is part and entry.fault is not None and FAULTS[entry.fault].kind is Kind.PERMANENT:
                yield entry, entry.fault


def photos(row: ImageryRow) -> list[str]:
    """The photos near a site, of a row of a build without faults."""
    return [photo.source_id for photo in row.considered]


def tiles_of(row: ImageryRow) -> set[str]:
    """The tiles that a site's aerial chip is made from, as `z/x/y`, of a row of a build without faults."""
    assert row.aerial is not None
    return {"/".join(name.split("/")[-3:]) for name in row.aerial.source_id.split()}
