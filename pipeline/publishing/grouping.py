"""Which units share a shard. A unit's place follows from the unit alone, so that a build that grows leaves most alone.

Units are told apart by the bits of a hash of their H3 cell. All units of a split (and region) make one shard as long as
they fit; if not, those whose first bit is 0 and those whose first bit is 1 go apart, and so on with the next bit. So a
unit that comes, goes or changes concerns its own shard, which at worst becomes two or joins its neighbour. It also
spreads a region's units over its shards, which readers of single shards want.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.publishing.units import UnitPart
from schemas.records import Split

MIXED = "mixed"
"""What the shards of all regions together are called, in place of the region's name."""
_FULL = 2**0.5
"""A group over this many times the wanted size is halved: so sizes lie around the wanted one, from 0.7 to 1.4 times it,
as far as units are small and many."""


@dataclass(frozen=True)
class Load:
    """A unit to group."""

    part: UnitPart
    split: Split
    size: float
    """Bytes that its published samples will take, nearly."""


@dataclass(frozen=True)
class Group:
    """The units of one shard."""

    split: Split
    name: str
    """The region, or `MIXED`."""
    parts: tuple[UnitPart, ...]
    """In the order of their cells, then of their regions."""


def group(loads: Iterable[Load], shard_bytes: float, *, mix_regions: bool) -> list[Group]:
    """Groups of about `shard_bytes`, in the order of split and name. Units stay whole, however large.

    The order of `loads` does not matter.
    """
    apart: dict[tuple[Split, str], list[tuple[int, Load]]] = defaultdict(list)
    for load in sorted(loads, key=lambda load: (load.part.unit, load.part.region)):
        name = MIXED if mix_regions else load.part.region
        apart[load.split, name].append((_bits(load.part.unit), load))
    return [
        Group(split, name, tuple(load.part for load in members))
        for (split, name), together in sorted(apart.items())
        for members in _halved(together, shard_bytes * _FULL, 63)
    ]


def _bits(unit: str) -> int:
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=8, person=b"shard").digest())


def _halved(members: Sequence[tuple[int, Load]], most: float, bit: int) -> Iterator[list[Load]]:
    if bit < 0 or len(members) < 2 or sum(load.size for _, load in members) <= most:
        yield [load for _, load in members]
        return
    for side in (0, 1):
        half = [member for member in members if member[0] >> bit & 1 == side]
        if half:
            yield from _halved(half, most, bit - 1)
