"""Checks `object`, `map` and `direction`: what is said to be there, how many, of what look, where and how far."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.captioning.evidence import Item, Known
from pipeline.captioning.grounding.finding import Finding, finding
from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.kinds import Bond, Kinds
from pipeline.captioning.language.en.nouns import Thing
from pipeline.captioning.language.en.sentence_parser import Denial
from pipeline.captioning.language.en.where import Place

_SHOPS = frozenset({"shop", "office", "eatery", "hotel"})


def judge_thing(thing: Thing, evidence: Known, kinds: Kinds, english: English) -> list[Finding]:
    """All that a thing's mention claims."""
    if thing.role == "passing":
        return [finding("object", thing.phrase, "forbidden")]
    bonds = bonded(thing.kind, evidence.lasting, kinds)
    if thing.role == "detail":
        same = bonds["same"]
        return [finding("object", thing.phrase, "supported" if same else "unknown", same)]
    check = "map" if kinds.mapped(thing.kind) else "object"
    if bonds["same"]:
        found = [finding(check, thing.phrase, "supported", _nearest_first(bonds["same"], thing.places))]
    elif bonds["coarse"] or bonds["confusable"]:
        found = [finding(check, thing.phrase, "unknown", [*bonds["coarse"], *bonds["confusable"]])]
    elif thing.called and not _SHOPS.isdisjoint(kinds.above(thing.kind)):
        found = [finding(check, thing.phrase, "unknown")]  # the name is judged; what trade it is, no cue tells
    else:
        return [finding(check, thing.phrase, "contradicted" if check == "map" and evidence.charted else "unsupported")]
    found += _counted(thing, check, bonds["same"], kinds)
    found += placed(thing.phrase, thing.places, *_meant(thing, bonds, english))
    found += _looked(thing, bonds, english)
    return found


def _meant(thing: Thing, bonds: dict[Bond, list[Item]], english: English) -> tuple[list[Item], list[Item]]:
    """The things that are surely meant, and those that may be. A look picks out which."""
    same, coarse = bonds["same"], bonds["coarse"]
    if not same:
        return [], [*coarse, *bonds["confusable"]]
    said = {(family, look) for family, look, _ in thing.looks}
    picked = [item for item in same if item.look and english.looks.get(item.look) in said]
    if picked:
        return picked, [item for item in same if not item.look and item.source == "object"]
    return same, coarse


def judge_denial(denial: Denial, evidence: Known, kinds: Kinds) -> Finding:
    """Evidence never proves that a thing is absent; it may prove the contrary."""
    there = [item for kind in denial.kinds for item in bonded(kind, evidence.lasting, kinds)["same"]]
    return finding("object", denial.phrase, "contradicted" if there else "unsupported", there)


def bonded(claim: str, items: Iterable[Item], kinds: Kinds) -> dict[Bond, list[Item]]:
    """The things in evidence that bear on the claim that there is one of a kind, by how they do."""
    found: dict[Bond, list[Item]] = {"same": [], "coarse": [], "confusable": []}
    for item in items:
        if claim in item.shown:
            found["same"].append(item)
        elif item.kind is not None and (bond := kinds.bond(claim, item.kind)) is not None:
            found[bond].append(item)
    return found


def placed(claim: str, places: Sequence[Place], sure: Sequence[Item], perhaps: Sequence[Item]) -> list[Finding]:
    """Whether things stand where they are said to: one of the sure ones, for each of the phrases that may be meant.

    Where the phrase fits none of the sure but one of those that may be the thing, nothing is known.
    """
    told = [place for place in places if place.directed or place.metres is not None or place.here]
    if not told:
        return []
    if any(_fits(item, place) for place in told for item in sure):
        fitting = [item for item in sure if any(_fits(item, place) for place in told)]
        return [finding("direction", claim, "supported", fitting)] if any(p.directed for p in told) else []
    if any(_fits(item, place) for place in told for item in perhaps):
        return [finding("direction", claim, "unknown", perhaps)]
    return [finding("direction", f"{claim} {_said(told)}".strip(), "contradicted", sure or perhaps)]


def _fits(item: Item, place: Place) -> bool:
    return place.allows(item) and place.reaches(item)


def _said(places: Sequence[Place]) -> str:
    place = places[0]
    points = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
    where = points[place.octant] if place.octant is not None else "-".join(sorted(place.sides))
    far = f"{place.metres:.0f} m away" if place.metres is not None else ""
    return f"({', '.join(part for part in (where, far, 'here' if place.here else '') if part)})"


def _nearest_first(items: Sequence[Item], places: Sequence[Place]) -> list[Item]:
    return sorted(items, key=lambda item: not any(_fits(item, place) for place in places))


def _counted(thing: Thing, check: str, same: Sequence[Item], kinds: Kinds) -> list[Finding]:
    """More than the map and the fullest view show together are too many, where one cue is one thing."""
    if thing.number is None or not same or not kinds.merged.isdisjoint({thing.kind}):
        return []
    views = Counter(item.view_id for item in same if item.source == "object")
    signs = {item.words for item in same if item.source == "text"}
    on_map = sum(item.source == "map" for item in same)
    if thing.number <= max([0, *views.values()]) + on_map + len(signs):
        return [finding(check, thing.phrase, "supported", same)]
    return [finding(check, thing.phrase, "contradicted", same)]


def _looked(thing: Thing, bonds: Mapping[Bond, list[Item]], english: English) -> list[Finding]:
    """Whether a thing in evidence, where it is said to be, has the look.

    It is contradicted where all that are such a thing have another look that nobody would call so, and none has a look
    that is not known.
    """
    items = [*bonds["same"], *bonds["coarse"], *bonds["confusable"]]
    there = [item for item in items if not thing.places or any(_fits(item, place) for place in thing.places)]
    known = [(item, english.looks[item.look]) for item in there if item.look and item.look in english.looks]
    found = []
    for family, look, word in thing.looks:
        claim = f"{word} {thing.kind}"
        alike = [item for item, has in known if has == (family, look)]
        near = [item for item, (_, other) in known if english.close(look, other)]
        other = [item for item, (of, _) in known if of == family]
        silent = [i for i in there if i.source == "object" and i not in other and i in bonds["same"]]
        if alike:
            found.append(finding("object", claim, "supported", alike))
        elif other and not near and not silent:
            found.append(finding("object", claim, "contradicted", other))
        else:
            found.append(finding("object", claim, "unknown", near))
    return found
