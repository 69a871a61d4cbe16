"""Turns single cues into facts: signs, map features, objects. `fusion` merges those of one thing."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import cast, get_args

from pipeline.captioning.composer.objects import told_as
from pipeline.captioning.composer.readings import Readings
from pipeline.captioning.composer.text_match import Spelling, similarity, spelling
from pipeline.captioning.language.facts import Fact, Where
from pipeline.captioning.language.nouns import Noun, Nouns
from pipeline.captioning.looks import own_looks
from pipeline.perception.text import publishable
from pipeline.perception.vocabulary import vocabulary
from schemas.records import Cue, FactKind, Position

_QUOTED_CHARACTERS = 48
_Kind = tuple[Noun, tuple[str, ...], Position | None]
_MARKUP = re.compile(r"[<>{}\[\]|\\`#*_^~=]")
_RETAIL = re.compile(r"(?!coffee|ice_cream|beverage|barber)(?P<wares>\w+)_(?:store|shop)")
"""A class of Overture for shops that sell goods: `flower_shop`."""
_SAID = 4
"""Letters of a word that says what a shop sells."""
_NAME = re.compile(r"\w[\w '\u2019&.\-/+]*[\w.]")


def quotable(text: str | None) -> str | None:
    """The words as they may stand in quotation marks.

    None where they are no sign to go by (a letter or two, a paragraph, mere punctuation) or must not be told on (an
    order to an assistant, a phone number; see `pipeline.perception.text`). Quotation marks within become apostrophes.
    """
    cleaned = publishable(text or "")
    if cleaned is None or len(cleaned) > _QUOTED_CHARACTERS or _MARKUP.search(cleaned):
        return None
    letters = sum(character.isalpha() for character in cleaned)
    digits = sum(character.isdigit() for character in cleaned)
    if letters < (3 if cleaned.isascii() else 2) and not re.fullmatch(r"\d{2,4}", cleaned):
        return None
    return re.sub('["“”„«»]', "'", cleaned) if 2 * (letters + digits) >= len(cleaned) else None


def nameable(text: str | None) -> str | None:
    """A name as it may stand in a sentence without quotation marks, or None."""
    quoted = (quotable(text) or "").rstrip(".")  # the sentence may end with it
    return quoted if _NAME.fullmatch(quoted) and ". " not in quoted else None


def signs(cues: Iterable[Cue], readings: Readings, nouns: Nouns) -> list[Fact]:
    """One fact a legible sign; the same words read twice in about one direction, or in part, are one sign.

    Args:
        cues: of texts.
        readings: of the site's signs.
        nouns: words for classes.
    """
    found: list[tuple[Spelling, Fact]] = []
    # Of two readings that are about as sure the longer is the better; a line is often read once whole and once in part.
    best_first = sorted(cues, key=lambda cue: (-round(cue.confidence, 1), -len(cue.text or ""), cue.cue_id))
    for cue in best_first:
        quote = quotable(cue.text)
        words = spelling(quote or "", nouns.short_forms)
        if quote is None or not readings.tells(cue) or nouns.passing.issuperset(words.words):
            continue
        where = _where(cue)
        if any(
            (words == other or similarity(words, other, frozenset())) and where.agrees(s.where) for other, s in found
        ):
            continue
        sign = Fact(
            cue_ids=(cue.cue_id,),
            kind="sign",
            noun=None,
            where=where,
            seen=True,
            above=False,
            confidence=cue.confidence,
            quote=quote,
            script=cue.script,
            gloss=None if quote.isascii() else nameable(cue.text_en),
            lettering=(_lettering(cue, "lettering", nouns), _lettering(cue, "background", nouns)),
            area_share=cue.area_share or 0.0,
        )
        found.append((words, sign))
    return [sign for _, sign in found]


def places(cues: Iterable[Cue], nouns: Nouns) -> list[Fact]:
    """One fact a map cue. Every name is kept, for signs to be compared with; `merging` drops what must not be told."""
    found = []
    for cue in cues:
        noun, name = _class_of(cue, nouns), nameable(cue.text)
        if noun is None and (name is None or cue.label != "poi"):
            continue
        found.append(
            Fact(
                cue_ids=(cue.cue_id,),
                kind=cast(FactKind, cue.label) if cue.label in get_args(FactKind) else "other",
                noun=noun,
                where=_where(cue),
                seen=False,
                above=cue.from_above == "aerial",
                confidence=cue.confidence,
                script=cue.script,
                name=name,
                gloss=None if name is None or name.isascii() else nameable(cue.text_en),
            )
        )
    return found


def _class_of(cue: Cue, nouns: Nouns) -> Noun | None:
    """The noun for a thing on the map. What a shop sells is said only if its name says so: maps often have it wrong."""
    trade = _RETAIL.fullmatch(cue.category or "")
    if cue.label == "poi" and trade is not None:
        name = f"{cue.text or ''} {cue.text_en or ''}".casefold()
        if not any(word in name for word in trade["wares"].split("_") if len(word) >= _SAID):
            return nouns.called("object", "shop")
    return nouns.of(cue)


def things(cues: Iterable[Cue], nouns: Nouns, min_confidence: float) -> list[Fact]:
    """One fact for the objects of one class, look and direction, with their number.

    Views may overlap, so that the number is the greatest that one view shows.
    """
    alike: dict[_Kind, list[Cue]] = defaultdict(list)
    for seen in cues:
        cue = told_as(seen, min_confidence)
        noun = nouns.of(cue) if cue is not None else None
        if cue is not None and noun is not None:
            alike[noun, _looks(cue, nouns), cue.position].append(cue)
    found = []
    for (noun, looks, _), group in _once(alike).items():
        group.sort(key=lambda cue: (cue.distance_m is None, cue.distance_m, cue.depth != "near", cue.cue_id))
        views = Counter(cue.view_id for cue in group)
        view, number = max(views.items(), key=lambda item: (item[1], item[0] or ""))
        shown = [cue for cue in group if cue.view_id == view]
        # A road in several pieces is one road, and a house whose front has two colours one house.
        single = noun.mass or nouns.verb(noun) == "run" or _is_building(shown[0])
        found.append(
            Fact(
                cue_ids=tuple(cue.cue_id for cue in shown),
                kind="object",
                noun=noun,
                where=_where(shown[0]),
                seen=True,
                above=shown[0].from_above == "aerial",
                confidence=max(cue.confidence for cue in shown),
                looks=looks,
                count=1 if single else number,
                area_share=max(cue.area_share or 0.0 for cue in shown),
            )
        )
    return found


def _is_building(cue: Cue) -> bool:
    term = vocabulary().get(cue.label)
    return term is not None and term.group == "building"


def _once(alike: Mapping[_Kind, list[Cue]]) -> dict[_Kind, list[Cue]]:
    """Without what is likely the other end of a thing: the same look and class beside it in the same view, smaller."""
    kept: dict[_Kind, list[Cue]] = {}
    for key, group in sorted(
        alike.items(), key=lambda item: (-max(c.area_share or 0.0 for c in item[1]), str(item[0]))
    ):
        noun, look, _ = key
        beside = (
            other
            for (kind, same, _), others in kept.items()
            if look and (kind, same) == (noun, look)
            for other in others
        )
        if not any(other.view_id == group[0].view_id and _where(other).agrees(_where(group[0])) for other in beside):
            kept[key] = group
    return kept


def _looks(cue: Cue, nouns: Nouns) -> tuple[str, ...]:
    """Words for how an object looks: its colour or the engine's own word, and the colours of lines and parts of it."""
    words = [nouns.look(word) for word in own_looks(cue)]
    words += [nouns.part(look) for look in cue.looks if look.kind == "marking"]
    words.append(nouns.parts([look for look in cue.looks if look.kind == "part"]))
    return tuple(dict.fromkeys(word for word in words if word))


def _lettering(cue: Cue, kind: str, nouns: Nouns) -> str | None:
    return next((nouns.look(look.value) for look in cue.looks if look.kind == kind), None)


def _where(cue: Cue) -> Where:
    return Where(cue.position, cue.bearing_deg, cue.distance_m, cue.depth)
