"""Rules for all descriptions, whatever is there: no names that give the place away, private data, talk of pictures.

The words that a language forbids are in its `rules.yaml`. What is here needs the evidence of the place: which names are
on the map, which are legible on the spot.
"""

import re
from collections.abc import Iterable, Sequence

from pipeline.captioning.grounding.claims import Witnesses
from pipeline.captioning.language.quotes import quotations
from pipeline.captioning.likeness import folded, likeness
from pipeline.captioning.witnesses import PUBLIC_PLACES, Testimony
from pipeline.perception.instructions import is_instruction
from pipeline.perception.text import is_personal
from schemas.records import Claim

_COMPASS = frozenset({"north", "south", "east", "west", "central", "town", "city", "upper", "lower", "old", "new"})


def broken_rules(sentence: str, known: Witnesses, region: str) -> list[str]:
    """The rules that a sentence breaks, a line each; empty if it may be said."""
    names = [text for item in known.heard if item.witness == "map" for text in item.texts]
    signs = [text for item in known.heard if item.lettering and item.lasting for text in item.texts]
    found = [f"{fault.check}: {fault.words}" for fault in known.language.faults(sentence, names, signs)]
    for words in quotations(sentence):
        if is_personal(words):
            found.append(f'personal: "{words}"')
        if is_instruction(words):
            found.append(f'instruction: "{words}"')
    for name in known.language.names(sentence, names):
        found += _of_name(name, known, region)
    return list(dict.fromkeys(found))


def _of_name(name: str, known: Witnesses, region: str) -> list[str]:
    """The fault of telling a proper name: none, if it is legible, or a near shop's on the map."""
    language, policy = known.language, known.policy
    signs = [item for item in known.heard if item.lettering and item.lasting]
    if _alike(name, signs, policy.text_likeness, known):
        return []
    mapped = _alike(name, (item for item in known.heard if item.witness == "map"), policy.text_likeness, known)
    streets = [item for item in mapped if item.kind in PUBLIC_PLACES]
    places = [item for item in mapped if item.kind not in PUBLIC_PLACES]
    if streets and (not places or language.is_street(name)):
        return [f"place: {name}"]
    whole = [item for item in places if folded(name) in map(folded, item.texts)]
    if not whole and (language.is_place(name) or _region_words(region) & set(folded(name).split())):
        return [f"place: {name}"]
    if places:
        near = [item for item in places if (item.distance_m or 0.0) <= policy.names_within_m]
        return [] if near and policy.names == "mapped" else [f"name: {name}"]
    return [f"place: {name}"] if language.is_street(name) else []


def _alike(name: str, items: Iterable[Testimony], least: float, known: Witnesses) -> list[Testimony]:
    """Testimonies with a name like it, short forms of street signs written out."""
    claimed = _spelled(name, known)
    return [item for item in items if any(likeness(claimed, _spelled(text, known)) >= least for text in item.texts)]


def _spelled(text: str, known: Witnesses) -> str:
    return " ".join(known.language.rules.short_forms.get(word, word) for word in folded(text).split())


def _region_words(region: str) -> set[str]:
    """Words of a region's name that would give the place away."""
    return {word for word in re.split(r"[^a-z]+", region) if len(word) >= 4 and word not in _COMPASS}


def unclaimed(sentence: str, claims: Sequence[Claim], known: Witnesses) -> list[str]:
    """Quotations, numbers, names, sides and relations of things that a sentence has and none of its claims."""
    language = known.language
    said = " ".join(claim.text for claim in claims)
    plain = folded(said)
    names = [text for item in known.heard if item.witness == "map" for text in item.texts]
    claimed = language.numbers(re.sub(r'["\u201c\u201d\u201e]', " ", said))
    sides = frozenset[str]().union(*(language.side_words(claim.text) for claim in claims))
    relations = frozenset[str]().union(*(language.relations(claim.text) for claim in claims))
    return [
        *(f'"{words}"' for words in quotations(sentence) if folded(words) not in plain),
        *(str(number) for number in sorted(language.numbers(sentence) - claimed)),
        *(name for name in language.names(sentence, names) if folded(name) not in plain),
        *sorted(language.side_words(sentence) - sides),
        *sorted(language.relations(sentence) - relations),
    ]
