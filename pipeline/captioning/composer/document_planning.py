"""Document planning: puts facts in order and groups them into sentences."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from pipeline.captioning.language.choices import Choices
from pipeline.captioning.language.facts import Fact
from schemas.records import Position

Shape = Literal["one", "many", "more", "more_signs", "farther", "steps", "pair", "signs", "sign_on", "named"]
Leaning = Literal["above", "street"]
Plan = Literal[
    "left to right", "right to left", "ahead first", "behind first", "near to far", "signs first", "landmark first"
]
PLANS: tuple[Plan, ...] = (
    "left to right",
    "right to left",
    "ahead first",
    "behind first",
    "near to far",
    "signs first",
    "landmark first",
)

_L, _AL, _A, _AR, _R, _B = (
    Position.LEFT,
    Position.AHEAD_LEFT,
    Position.AHEAD,
    Position.AHEAD_RIGHT,
    Position.RIGHT,
    Position.BEHIND,
)
_TURNS: dict[Plan, tuple[Position, ...]] = {
    "left to right": (_L, _AL, _A, _AR, _R, _B),
    "right to left": (_R, _AR, _A, _AL, _L, _B),
    "ahead first": (_A, _AL, _AR, _L, _R, _B),
    "behind first": (_B, _R, _AR, _A, _AL, _L),
    "near to far": (_A, _AR, _R, _L, _AL, _B),
    "signs first": (_AL, _L, _A, _AR, _R, _B),
    "landmark first": (_R, _L, _AR, _AL, _A, _B),
}
_WEAK = 0.18
_ENOUGH = 6
_LEAST_OTHERS = 2


@dataclass(frozen=True)
class Chunk:
    """Facts that are told in one sentence of a shape."""

    shape: Shape
    facts: tuple[Fact, ...]


def select(facts: Sequence[Fact], most: int, leaning: Leaning, from_map: float) -> list[Fact]:
    """The most telling facts, not all of one kind or in one direction; weak ones only where there is little else.

    Half of them at least are of the sort that the text leans on, as far as there are any. Those that the map alone has
    are at most a share of them.

    Args:
        facts: by falling weight.
        most: how many at most.
        leaning: `above` for what shows from above, `street` for what does not.
        from_map: the greatest share of facts that the map alone has.
    """
    wanted = _varied([fact for fact in facts if fact.above == (leaning == "above")])[:most]
    others = _varied([fact for fact in facts if fact.above != (leaning == "above")])
    others = others[: max(_LEAST_OTHERS, min(len(wanted), most // 2)) if wanted else most]
    told = [*wanted[: max(most - len(others), most // 2)], *others]
    mixed = [fact for fact in facts if fact in told][:most]
    on_map = [fact for fact in mixed if not fact.seen]
    seen = len(mixed) - len(on_map)
    kept = len(on_map) if from_map == 1 else int(from_map / (1 - from_map) * seen)
    return [fact for fact in mixed if fact not in on_map[kept:]]


def _varied(facts: Sequence[Fact]) -> list[Fact]:
    chosen: list[Fact] = []
    nouns: Counter[str] = Counter()
    directions: Counter[str] = Counter()
    for fact in facts:
        noun = fact.noun.singular if fact.noun else fact.kind
        if directions[fact.where.direction] >= 5 or nouns[noun] >= (5 if fact.noun is None else 2):
            continue
        if fact.weight < _WEAK and len(chosen) >= _ENOUGH:
            break
        chosen.append(fact)
        nouns[noun] += 1
        directions[fact.where.direction] += 1
    return chosen


def order(facts: Sequence[Fact], plan: Plan) -> list[Fact]:
    """Facts in the order of a plan, those of one direction together. `facts` come by falling weight."""
    turns = _TURNS[plan]

    def turn(fact: Fact) -> tuple[int, str, float, tuple[str, ...]]:
        position = fact.where.position
        at = turns.index(position) if position is not None else len(turns)
        return at, fact.where.direction, roughly(fact), fact.cue_ids

    def ring(fact: Fact) -> int:
        return sum(roughly(fact) >= limit for limit in (15.0, 45.0))

    ranks: dict[Plan, Callable[[Fact], int]] = {
        "near to far": ring,
        "signs first": lambda fact: fact.quote is None,
        "landmark first": lambda fact: fact != facts[0],
    }
    rank = ranks.get(plan)
    return sorted(facts, key=lambda fact: (rank(fact) if rank else 0, turn(fact)))


def roughly(fact: Fact) -> float:
    """Distance in metres to sort by, guessed where it is not known; never told."""
    if fact.where.distance_m is not None:
        return fact.where.distance_m
    return {"near": 8.0, "far": 60.0, None: 20.0}[fact.where.depth]


def chunks(facts: Sequence[Fact], plan: Plan, choices: Choices) -> list[Chunk]:
    """Facts, ordered, cut into sentences of at most three facts in one direction, or of one each in two."""
    cut = [
        part
        for _, group in groupby(facts, key=lambda fact: (_is_bare(fact), fact.where.direction))
        for part in _cut(list(group), choices)
    ]
    made: list[Chunk] = []
    farthest = 0.0
    previous = None
    for i, part in enumerate(cut):
        if made and part[0] in made[-1].facts:
            continue  # went into a pair
        direction = part[0].where.direction
        follower = cut[i + 1] if i + 1 < len(cut) else ()
        if direction and direction == previous:
            chunk = Chunk("more_signs" if _is_bare(part[0]) else "more", part)
        elif _may_pair(part, follower) and choices.share("pair") < 0.5:
            chunk = Chunk("pair", (*part, *follower))
        elif plan == "near to far" and len(part) == 1 and 0 < farthest < (part[0].where.distance_m or 0.0) - 15.0:
            chunk = Chunk("farther", part)
        else:
            chunk = Chunk(_shape(part, choices), part)
        made.append(chunk)
        previous = None if chunk.shape == "pair" else direction
        # What is told as further off must be so, and an unknown distance may be any.
        farthest = max(farthest, *(_metres(fact) for fact in chunk.facts))
    return made


def _cut(group: Sequence[Fact], choices: Choices) -> list[tuple[Fact, ...]]:
    size = 3 if len(group) % 3 != 1 and choices.share("cut") < 0.6 else 2
    return [tuple(group[i : i + size]) for i in range(0, len(group), size)]


def _may_pair(part: Sequence[Fact], follower: Sequence[Fact]) -> bool:
    if len(part) != 1 or len(follower) != 1:
        return False
    return part[0].where.direction != follower[0].where.direction


def _shape(part: Sequence[Fact], choices: Choices) -> Shape:
    first = part[0]
    if all(_is_bare(fact) for fact in part):
        return "signs"
    if len(part) == 1:
        return _single(first)
    if len(part) == 2 and _apart(*part) and choices.share("steps") < 0.6:
        return "steps"
    return "many"


def _single(fact: Fact) -> Shape:
    if fact.quote is not None and fact.noun is not None:
        return "sign_on"
    return "named" if fact.name is not None and fact.noun is not None else "one"


def _metres(fact: Fact) -> float:
    return fact.where.distance_m if fact.where.distance_m is not None else math.inf


def _apart(near: Fact, far: Fact) -> bool:
    """Whether both distances are known and the second thing is clearly the farther."""
    return bool(near.where.direction) and _metres(near) + 12.0 <= _metres(far) < math.inf


def _is_bare(fact: Fact) -> bool:
    return fact.kind == "sign"
