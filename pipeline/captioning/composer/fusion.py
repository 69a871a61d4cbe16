"""From cues to what may be said of a place: merged where several cues speak of one thing, the most telling first.

What may be named: the words on a sign that was read, always; the name of a shop or building on the map, where it is
near; the names of streets, squares, parks, waters and stops only as far as a sign shows them. A description that gives
the name of its street needs no picture to be found by, and one that takes it from the map claims a sign nobody saw.
Nor are the names of offices told, which show little of themselves and are often those of persons.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipeline.captioning.composer.facts import places, signs, things
from pipeline.captioning.composer.readings import Readings
from pipeline.captioning.composer.text_match import Spelling, contains, similarity, spelled_alike, spelling
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.nouns import Noun, Nouns
from schemas.records import Cue

NAMED_WITHIN_M = 40.0
"""Names on the map are told up to this distance; the sign of a shop farther off is seldom legible."""
_PLACE_NAMES = frozenset({"road", "junction", "square", "green", "water", "stop", "rail"})

_ON_MAP_ALONE = frozenset({"road", "junction", "crossing", "green", "water", "rail", "stop", "square"})
"""What is told though only the map has it. A shop may be gone, and its point lies anywhere in its building."""

_BY_KIND: dict[str, float] = {
    "junction": 0.75,
    "square": 0.7,
    "rail": 0.65,
    "water": 0.65,
    "green": 0.5,
    "stop": 0.55,
    "crossing": 0.5,
    "poi": 0.5,
    "building": 0.4,
    "road": 0.35,
    "object": 0.45,
    "other": 0.35,
}
_REACH_M = 120.0
"""At this distance a thing helps half as much as beside one."""


def facts_of(cues: Sequence[Cue], readings: Readings, region: str, nouns: Nouns, min_confidence: float) -> list[Fact]:
    """The facts that may be said, by falling weight.

    Args:
        cues: of one site; those that do not last are left out.
        readings: of the site's signs, held against the names on its map.
        region: name of the site's region, which must not be told.
        nouns: words for classes.
        min_confidence: confidence that an engine must have in an object.
    """
    lasting = sorted((cue for cue in cues if cue.lasting), key=lambda cue: cue.cue_id)
    on_map = places([cue for cue in lasting if cue.kind == "map"], nouns)
    read = signs([cue for cue in lasting if cue.kind == "text"], readings, nouns)
    private = [spelling(place.name, nouns.short_forms) for place in on_map if place.name and place.kind in _PLACE_NAMES]
    private += [spelling(word, {}) for word in region.split("-") if len(word) >= 4]
    # That a shop has its street's or town's name in its own says not that each sign with that name is the shop's.
    generic = nouns.generic.union(*(name.words for name in private))
    named = _without_leaks(_with_signs(on_map, read, generic, nouns), read, private, nouns)
    seen = things([cue for cue in lasting if cue.kind == "object"], nouns, min_confidence)
    facts = [replace(fact, weight=_weight(fact, nouns)) for fact in _with_things(_grouped(named, nouns), seen)]
    facts = _in_one_frame([fact for fact in facts if fact.seen or fact.kind in _ON_MAP_ALONE])
    return sorted((fact for fact in facts if fact.weight > 0), key=lambda fact: (-fact.weight, fact.cue_ids))


def _in_one_frame(facts: list[Fact]) -> list[Fact]:
    """Facts whose directions are all from the main view or, where none of them is, all by the compass."""
    if not any(fact.where.position for fact in facts):
        return facts
    return [
        fact if fact.where.position else replace(fact, where=replace(fact.where, bearing_deg=None)) for fact in facts
    ]


def _with_signs(on_map: list[Fact], read: list[Fact], generic: frozenset[str], nouns: Nouns) -> list[Fact]:
    """Signs and places; a sign that bears a place's name becomes one fact with it, seen where the sign is."""
    owned: dict[Fact, list[tuple[float, Fact]]] = defaultdict(list)
    bare, contradicted = [], set()
    for sign in read:
        alike = [(_likeness(sign, place, generic, nouns), place) for place in on_map if place.name]
        fitting = [(score, place) for score, place in alike if score and _may_bear(place, sign)]
        # The same name in another direction would puzzle; of the two, the sign was seen.
        contradicted |= {place for score, place in alike if score and not _may_bear(place, sign)}
        if fitting:
            score, place = max(fitting, key=lambda item: (item[0], -(item[1].where.distance_m or 0.0), item[1].cue_ids))
            owned[place].append((score, sign))
        else:
            bare.append(sign)
    joined = []
    for place in on_map:
        if place in owned:
            _, sign = max(owned[place], key=lambda item: (item[0], item[1].confidence, item[1].cue_ids))
            joined.append(_joined(place, sign))
        if place not in contradicted and (place not in owned or place.kind == "road"):
            joined.append(replace(place))
    return [*bare, *joined]


def _likeness(sign: Fact, place: Fact, generic: frozenset[str], nouns: Nouns) -> float:
    name = spelling(place.name or "", nouns.short_forms)
    readings = [spelling(text, nouns.short_forms) for text in (sign.quote, sign.gloss) if text]
    if place.kind == "road":  # a shop may be called after its street: the whole must be alike
        return max(spelled_alike(reading, name) for reading in readings)
    # Of several signs of one shop, the one with the first word of its name tells most.
    scores = [
        (similarity(reading, name, generic), not set(name.words[:1]).isdisjoint(reading.words)) for reading in readings
    ]
    return max(score + 15.0 * first if score else 0.0 for score, first in scores)


def _may_bear(place: Fact, sign: Fact) -> bool:
    """Whether a sign in its direction may stand for a place of the same name; a street's may stand anywhere on it."""
    if place.kind == "road":
        return True
    if place.where.position is None:
        return (place.where.distance_m or 0.0) <= NAMED_WITHIN_M
    return sign.where.agrees(place.where)


def _joined(place: Fact, sign: Fact) -> Fact:
    """A sign with the place that it names; without a distance, as the place's point lies anywhere in its building."""
    return replace(
        sign,
        cue_ids=(*sign.cue_ids, *place.cue_ids),
        kind="street_sign" if place.kind == "road" else place.kind,
        noun=None if place.kind == "road" else place.noun,
        gloss=sign.gloss or (place.gloss if sign.quote and not sign.quote.isascii() else None),
    )


def _without_leaks(facts: list[Fact], read: list[Fact], private: list[Spelling], nouns: Nouns) -> list[Fact]:
    """Drops the names that must not be told, and with them what had nothing but its name."""
    legible = [spelling(sign.quote or "", nouns.short_forms) for sign in read]
    secret = [name for name in private if not any(contains(sign, name) for sign in legible)]
    told = [replace(fact, name=None, gloss=None) if _is_secret(fact, secret, nouns) else fact for fact in facts]
    return [fact for fact in told if fact.noun or fact.name or fact.quote]


def _is_secret(fact: Fact, secret: list[Spelling], nouns: Nouns) -> bool:
    if fact.name is None:
        return False
    distance = fact.where.distance_m
    if fact.kind not in ("poi", "building") or distance is None or distance > NAMED_WITHIN_M:
        return True
    if fact.noun is not None and fact.noun.singular in nouns.offices:
        return True
    full = spelling(f"{fact.name} {fact.gloss or ''}", nouns.short_forms)
    return not nouns.street_words.isdisjoint(full.words) or any(contains(full, name) for name in secret)


def _grouped(facts: list[Fact], nouns: Nouns) -> list[Fact]:
    """Nameless things of one class in one direction on the map become one fact: the nearest, with their number."""
    alike: dict[tuple[str, Noun | None, str], list[Fact]] = defaultdict(list)
    others = []
    for fact in facts:
        if fact.name or fact.quote:
            others.append(fact)
        else:
            alike[fact.kind, fact.noun, fact.where.direction].append(fact)
    grouped = []
    for group in alike.values():
        nearest = min(group, key=lambda fact: (fact.where.distance_m or 0.0, fact.cue_ids))
        close = [f for f in group if (f.where.distance_m or 0.0) <= (nearest.where.distance_m or 0.0) + 15.0]
        countable = nearest.noun is not None and not nearest.noun.mass and nouns.verb(nearest.noun) != "run"
        if countable and len(close) > 1:
            ids = tuple(sorted(cue_id for fact in close for cue_id in fact.cue_ids))
            nearest = replace(nearest, count=len(close), cue_ids=ids)
        grouped.append(nearest)
    return [*others, *grouped]


def _with_things(facts: list[Fact], seen: list[Fact]) -> list[Fact]:
    """Objects and the rest; what both the camera and the map show is said once."""
    rest = list(facts)
    joined = []
    for thing in seen:
        same = [fact for fact in rest if _same_thing(thing, fact)]
        if not same:
            joined.append(thing)
            continue
        place = min(same, key=lambda fact: (fact.where.direction != thing.where.direction, fact.cue_ids))
        rest.remove(place)
        joined.append(_both(thing, place) if thing.count == place.count == 1 else thing)
    return [*rest, *joined]


def _same_thing(thing: Fact, place: Fact) -> bool:
    if (
        thing.noun is None or place.noun is None or place.seen or place.kind == "road"
    ):  # what is asphalt is no class of road
        return False
    return thing.noun.head == place.noun.head and thing.where.agrees(place.where)


def _both(thing: Fact, place: Fact) -> Fact:
    return replace(
        place,
        cue_ids=(*thing.cue_ids, *place.cue_ids),
        where=thing.where,  # the map's may be another one of its kind behind it
        seen=True,
        looks=thing.looks,
        confidence=max(thing.confidence, place.confidence),
    )


def _weight(fact: Fact, nouns: Nouns) -> float:
    noun = fact.noun.singular if fact.noun else ""
    if fact.quote is not None:
        words = spelling(fact.quote, {}).words
        everyday = nouns.everyday.issuperset(words) or fact.quote.isdigit()
        weight = 0.35 if everyday else 0.65 + 0.02 * min(len(fact.quote), 12)
        weight += 0.15 if fact.noun or fact.kind == "street_sign" else 0.0
    elif fact.name is not None:
        weight = 0.8 if fact.noun else 0.45
    elif noun in nouns.landmarks:
        weight = 0.75
    elif noun in nouns.commonplace:
        weight = 0.2
    else:
        weight = _BY_KIND.get(fact.kind, 0.35) * (0.5 if noun in nouns.offices else 1.0)
    weight += (0.25 if not nouns.plain.issuperset(fact.looks) else 0.0) + (0.1 if fact.kind == "object" else 0.0)
    weight *= 0.4 + 0.6 * fact.confidence
    weight *= 1.0 + min(fact.area_share, 0.2)
    return weight / (1.0 + (fact.where.distance_m or 0.0) / _REACH_M)
