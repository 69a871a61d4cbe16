"""From arranged facts to sentences, each with the cues that it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.captioning.composer.document_planning import Chunk, Plan, chunks, order
from pipeline.captioning.composer.standpoint import Standpoint
from pipeline.captioning.language.en.grammar import Choices, Teller, listed
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.words import Voice, Words

_ATTACHED = 0.5
"""Share of the openings that tell the standpoint and something around it in one breath."""
_STANDPOINT_LAST = 0.3


@dataclass(frozen=True)
class Told:
    """A sentence."""

    text: str
    cue_ids: tuple[str, ...]
    """Without repeats."""


def told(text: str, *facts: Fact | Standpoint) -> Told:
    """A sentence that rests on facts."""
    return Told(text, tuple(dict.fromkeys(cue_id for fact in facts for cue_id in fact.cue_ids)))


def tell(
    words: Words, choices: Choices, voice: Voice, plan: Plan, standpoint: Standpoint | None, facts: Sequence[Fact]
) -> list[Told]:
    """A description of a standpoint and of facts around it, which come by falling weight."""
    teller = Teller(words, choices, voice)
    ordered = order(facts, plan)
    late = standpoint is not None and plan in ("signs first", "landmark first") and bool(ordered)
    attached: list[Fact] = []
    if standpoint is not None and not late and choices.share("attach") < _ATTACHED:
        attached = _attachable(ordered)
    parts = chunks([fact for fact in ordered if fact not in attached], plan, choices)
    sentences: list[Told] = []
    if standpoint is not None and not late:
        sentences.append(_opening(teller, standpoint, attached, short=False))
    last = choices.share("standpoint last") < _STANDPOINT_LAST or (len(parts) > 1 and parts[1].shape.startswith("more"))
    for i, chunk in enumerate(parts):
        sentences.append(_say(teller, chunk))
        if standpoint is not None and late and i == (len(parts) - 1 if last else 0):
            at = _at(teller, standpoint)
            shape = "ground_last" if i and last else "ground_late"
            text = teller.sentence(shape, words.phrases.sentences[shape], {"at": at})
            sentences.append(told(text, standpoint))
    return sentences


def tell_short(
    words: Words, choices: Choices, voice: Voice, standpoint: Standpoint | None, facts: Sequence[Fact]
) -> list[Told]:
    """One or two sentences on the standpoint and at most four facts, which come by falling weight."""
    teller = Teller(words, choices, voice)
    first = facts[:2]
    if standpoint is not None:
        opening = _opening(teller, standpoint, first, short=True)
    else:
        listing, plural = _with(teller, first)
        text = teller.sentence("facts", words.phrases.short["facts"], {"with": listing, "is": plural})
        opening = told(text, *first)
    rest = order(facts[2:4], "left to right")
    return [opening, *(_say(teller, chunk) for chunk in chunks(rest, "left to right", choices))]


def _attachable(ordered: Sequence[Fact]) -> list[Fact]:
    """Up to two of the first facts that are alone in their direction, so that it need not be told of again."""
    directions = [fact.where.direction for fact in ordered]
    alone = [fact for fact in ordered[:3] if directions.count(fact.where.direction) == 1 and fact.kind != "sign"]
    return alone[:2]


def _opening(teller: Teller, standpoint: Standpoint, attached: Sequence[Fact], *, short: bool) -> Told:
    shapes = teller.words.phrases.short if short else teller.words.phrases.sentences
    at = _at(teller, standpoint)
    if not attached:
        return told(teller.sentence("ground", shapes["ground"], {"at": at}), standpoint)
    listing, _ = _with(teller, attached)
    text = teller.sentence("ground_with", shapes["ground_with"], {"at": at, "with": listing})
    return told(text, standpoint, *attached)


def _at(teller: Teller, standpoint: Standpoint) -> str:
    slots = {role: teller.noun_phrase(replace(fact, count=1)).text for role, fact in standpoint.parts.items()}
    area = standpoint.parts.get("area")
    if area is not None and area.noun is not None:
        slots["inside"] = f"{teller.words.nouns.inside[area.noun.singular]} {slots['area']}"
    forms = teller.words.phrases.ground[standpoint.shape]
    return teller.choices.pick(f"ground {standpoint.shape}", forms).format(**slots)


def _with(teller: Teller, facts: Sequence[Fact]) -> tuple[str, str]:
    """Facts with their directions as a list, and `is` or `are` for it."""
    phrases = [teller.noun_phrase(fact) for fact in facts]
    items = [f"{phrase.text} {teller.location(fact)}" for phrase, fact in zip(phrases, facts, strict=True)]
    plural = phrases[0].plural  # `there is a church behind and two benches ahead`: agrees with the nearest
    return listed(items, teller.words.phrases.conjunction), teller.agreeing("is", plural)


def _say(teller: Teller, chunk: Chunk) -> Told:
    shape: str = chunk.shape
    facts = chunk.facts
    if shape in ("signs", "more_signs"):
        slots = _sign_slots(teller, facts)
    elif shape in ("many", "more"):
        listing = teller.list_of(facts)
        shape = f"{shape}_far" if listing.far else shape
        slots = {
            "np": listing.text,
            "loc": teller.location(facts[0], distance=False),
            "is": teller.agreeing("is", listing.plural),
            "exist": teller.agreeing("is", listing.first_plural),
            "theres": teller.agreeing("theres", listing.first_plural),
        }
    else:
        slots = _fact_slots(teller, facts[0])
        if shape == "pair":
            slots |= {f"{key}2": value for key, value in _fact_slots(teller, facts[1]).items()}
        elif shape == "steps":
            phrase = teller.noun_phrase(facts[1])
            slots |= {"np2": phrase.text, "is2": teller.agreeing("is", phrase.plural), "d2": teller.distance(facts[1])}
    templates = teller.words.phrases.sentences[shape]
    return told(teller.sentence(shape, templates, slots, seen=all(fact.seen for fact in facts)), *facts)


def _fact_slots(teller: Teller, fact: Fact) -> dict[str, str]:
    phrase = teller.noun_phrase(fact)
    agreement = {key: teller.agreeing(key, phrase.plural) for key in ("is", "theres")}
    verb = teller.verb(fact, phrase.plural)
    return {**teller.slots(fact), **agreement, "verb": verb, "np": phrase.text, "loc": teller.location(fact)}


def _sign_slots(teller: Teller, facts: Sequence[Fact]) -> dict[str, str]:
    plural = len(facts) > 1
    agreement = {key: teller.agreeing(key, plural) for key in ("is", "reads", "sign", "a_sign")}
    return {**agreement, "quote": teller.quotes(facts), "loc": teller.location(facts[0], distance=not plural)}
