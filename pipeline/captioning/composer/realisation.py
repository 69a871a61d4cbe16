"""Realisation: turns arranged facts into sentences, each with the cues that it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.captioning.composer.document_planning import Chunk, Plan, chunks, order
from pipeline.captioning.composer.standpoint import Standpoint
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.phrasing import Teller

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


def tell(teller: Teller, plan: Plan, standpoint: Standpoint | None, facts: Sequence[Fact]) -> list[Told]:
    """A description of a standpoint and of facts around it, which come by falling weight."""
    choices, shapes = teller.choices, teller.words.phrases.sentences
    ordered = order(facts, plan)
    late = standpoint is not None and plan in ("signs first", "landmark first") and bool(ordered)
    attached: list[Fact] = []
    if standpoint is not None and not late:
        attached = _attachable(ordered)
    parts = chunks([fact for fact in ordered if fact not in attached], plan, choices)
    sentences: list[Told] = []
    if standpoint is not None and not late:
        sentences.append(_opening(teller, standpoint, attached, short=False))
    last = choices.share("standpoint last") < _STANDPOINT_LAST or (len(parts) > 1 and parts[1].shape.startswith("more"))
    for i, chunk in enumerate(parts):
        sentences.append(_say(teller, chunk))
        if standpoint is not None and late and i == (len(parts) - 1 if last else 0):
            shape = "ground_last" if i and last else "ground_late"
            text = teller.sentence(shape, shapes[shape], {"at": _at(teller, standpoint)})
            sentences.append(told(text, standpoint))
    return sentences


def tell_short(teller: Teller, standpoint: Standpoint | None, facts: Sequence[Fact]) -> list[Told]:
    """One or two sentences on the standpoint and at most four facts, which come by falling weight."""
    first = facts[:2]
    if standpoint is not None:
        opening = _opening(teller, standpoint, first, short=True)
    else:
        text = teller.sentence("facts", teller.words.phrases.short["facts"], teller.with_slots(first))
        opening = told(text, *first)
    rest = order(facts[2:4], "left to right")
    return [opening, *(_say(teller, chunk) for chunk in chunks(rest, "left to right", teller.choices))]


def _attachable(ordered: Sequence[Fact]) -> list[Fact]:
    """Up to two of the first facts that are alone in their direction, so that it need not be told of again."""
    directions = [fact.where.direction for fact in ordered]
    alone = [fact for fact in ordered[:3] if directions.count(fact.where.direction) == 1 and fact.kind != "sign"]
    return alone[:2] or [fact for fact in ordered if fact.kind != "sign"][:1]


def _opening(teller: Teller, standpoint: Standpoint, attached: Sequence[Fact], *, short: bool) -> Told:
    shapes = teller.words.phrases.short if short else teller.words.phrases.sentences
    at = {"at": _at(teller, standpoint)}
    if not attached:
        return told(teller.sentence("ground", shapes["ground"], at), standpoint)
    text = teller.sentence("ground_with", shapes["ground_with"], at | teller.with_slots(attached))
    return told(text, standpoint, *attached)


def _at(teller: Teller, standpoint: Standpoint) -> str:
    slots = teller.standpoint_slots(standpoint.parts)
    forms = teller.words.phrases.ground[standpoint.shape]
    return teller.choices.pick(f"ground {standpoint.shape}", forms).format(**slots)


def _say(teller: Teller, chunk: Chunk) -> Told:
    shape: str = chunk.shape
    facts = chunk.facts
    if shape in ("signs", "more_signs"):
        slots = teller.sign_slots(facts)
    elif shape in ("many", "more"):
        listing = teller.list_of(facts)
        shape = f"{shape}_far" if listing.far else shape
        slots = teller.listing_slots(listing, facts[0])
    else:
        slots = teller.fact_slots(facts[0])
        if shape in ("pair", "steps"):
            second = teller.fact_slots(facts[1]) if shape == "pair" else teller.farther_slots(facts[1])
            slots |= {f"{key}2": value for key, value in second.items()}
    templates = teller.words.phrases.sentences[shape]
    return told(teller.sentence(shape, templates, slots, seen=all(fact.seen for fact in facts)), *facts)
