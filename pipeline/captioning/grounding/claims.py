"""One claim held against the witnesses by code.

Silence is no evidence: a claim that nobody speaks of is `not_witnessed`. Code contradicts a claim only where a witness
is entitled to:

- OCR and notes for the letters of a sign that they read: a quotation that cites a sign with other words, or that is
  read with other digits as well, or that lies on something passing;
- a measured direction for the side of a thing that the claim names, quotes or cites, where none of these can lie on the
  side that is told;
- a map for roundabouts, rails and water, where its source is complete in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.captioning.language.base import Language
from pipeline.captioning.language.names import verbatim
from pipeline.captioning.language.quotes import masked_quotations, quotations
from pipeline.captioning.language.rules import Layout
from pipeline.captioning.likeness import covered, folded, likeness, same_lettering
from pipeline.captioning.witnesses import Testimony, ids
from pipeline.config.captioning import Grounding
from schemas.records import Claim, FactKind, Outcome

_SURE = 0.8
"""Confidence from which OCR may contradict."""
_ALMOST = 0.55
"""Texts from this likeness on may be two readings of one sign."""
_SAME_SIGN_DEG = 5.0
"""Two readings of one sign lie no further apart than this."""
_SPOKEN_OF = 0.75
"""Share of a claim's words that one witness must have for its own, to be one for the claim."""
_LEAST_CAPITALS = 4
"""Characters of a sign's words that are known for them by their capitals alone."""
_OF_THE_MAP = frozenset({"map", "name", "road"})
"""Kinds of claim that do not say that a thing is in sight."""
_LAYOUT_M = 60.0
_LAYOUT_FACTS: dict[Layout, FactKind] = {"roundabout": "junction", "rail": "rail", "water": "water"}


@dataclass(frozen=True)
class Witnesses:
    """The witnesses that the claims of one place are held against."""

    heard: Sequence[Testimony]
    charted: frozenset[FactKind]
    """Kinds of fact that the map is complete in: there its silence counts."""
    policy: Grounding
    language: Language

    @property
    def by_id(self) -> dict[str, Testimony]:
        """The testimonies by their ids."""
        return {item.id: item for item in self.heard}


def judge_claim(claim: Claim, known: Witnesses) -> Claim:
    """The claim with what code finds: supported, contradicted with the detail, or not witnessed."""
    for check in (_lettering, _side, _layout):
        found = check(claim, known)
        if found is not None and found.outcome == "contradicted":
            return found
    return _lettering(claim, known) or _spoken_of(claim, known) or claim


def _found(claim: Claim, outcome: Outcome, by: Sequence[Testimony], detail: str | None = None) -> Claim:
    return claim.model_copy(update={"outcome": outcome, "witnesses": ids(by), "detail": detail})


def _lettering(claim: Claim, known: Witnesses) -> Claim | None:
    """Quoted words against signs: all of them read, or one of them read otherwise."""
    quoted = quotations(claim.text)
    if not quoted:
        return None
    least = known.policy.text_likeness
    signs = [item for item in known.heard if item.lettering]
    named = [item for item in known.heard if item.witness == "map"]
    cited = [item for item in signs if item.id in claim.cites]
    by: list[Testimony] = []
    for words in quoted:
        alike = [item for item in signs if any(same_lettering(words, text, least) for text in item.texts)]
        if alike and not any(item.lasting for item in alike):
            return _found(claim, "contradicted", alike, f'"{words}" will be gone tomorrow')
        if not alike:
            alike = [item for item in named if any(same_lettering(words, text, least) for text in item.texts)]
        other = _read_otherwise(words, cited if not alike else signs, alike)
        if other is not None:
            return _found(claim, "contradicted", [other], f'"{words}" is read "{other.texts[0]}" as well')
        if not alike:
            return None
        by += alike
    return _found(claim, "supported", by) if _says_no_more(claim, by, known) else None


def _says_no_more(claim: Claim, by: Sequence[Testimony], known: Witnesses) -> bool:
    """Whether what else is claimed is borne out: the sign's looks and how far off it is; or all that is said of it."""
    rest = masked_quotations(claim.text)
    if claim.kind not in ("sign", "name"):
        return any(_tells(item, rest, claim, known) for item in known.heard)
    told = known.language.looks(" ".join(item.words for item in by))
    cited = known.language.looks(" ".join(item.words for item in known.heard if item.id in claim.cites))
    return all(_may_be_off(item, claim, known) for item in by) and (
        not told or known.language.looks(rest) <= told | cited
    )


def _tells(item: Testimony, text: str, claim: Claim, known: Witnesses) -> bool:
    """Whether a witness's own words say most of a claim's text: all its numbers and looks, and where that fits."""
    language = known.language
    if not item.lasting or (item.hidden and claim.kind not in _OF_THE_MAP):  # nobody there saw it
        return False
    wanted = language.stems(text)
    words = " ".join((item.words, *item.texts))
    said = language.stems(words)
    return (
        bool(wanted)
        and len(wanted & said) >= _SPOKEN_OF * len(wanted)
        and language.looks(text) <= said
        and language.numbers(text) <= language.numbers(words)
        and _may_be_off(item, claim, known)
        and all(map(item.may_be, language.sides(text)))
    )


def _may_be_off(item: Testimony, claim: Claim, known: Witnesses) -> bool:
    """Whether a thing may be as near or far off as is claimed."""
    depths = known.language.depths(claim.text)
    return not depths or item.depth is None or item.depth in depths


def _read_otherwise(words: str, signs: Sequence[Testimony], alike: Sequence[Testimony]) -> Testimony | None:
    """A sure reading of what is likely the same sign that has other words, or other digits.

    A reading of a part of what is quoted is none, for a sign of several lines is read line by line; nor is one of a
    sign elsewhere, for a street has many with a number each.
    """
    claimed = folded(words)
    for item in signs:
        if item in alike or item.confidence < _SURE or not item.lasting:
            continue
        read = folded(item.texts[0])
        digits = [c for c in claimed if c.isdigit()] != [c for c in read if c.isdigit()]
        near = likeness(claimed, read)
        if near == 1.0 or (claimed and claimed in read) or _is_line(read, claimed):
            continue
        if not alike or (digits and any(c.isdigit() for c in read) and near >= _ALMOST and _beside(item, alike)):
            return item
    return None


def _is_line(read: str, claimed: str) -> bool:
    """Whether a reading is a part of the words that are quoted, give or take a letter of a longer word."""
    numbers = {word for word in read.split() if any(map(str.isdigit, word))}
    return numbers <= set(claimed.split()) and covered(read, [claimed]) == 1.0


def _beside(item: Testimony, others: Sequence[Testimony]) -> bool:
    """Whether it may be what one of the others is, by their directions."""
    if item.angle_deg is None:
        return True
    return any(
        other.angle_deg is None
        or abs((item.angle_deg - other.angle_deg + 180.0) % 360.0 - 180.0)
        <= item.half_width_deg + other.half_width_deg + _SAME_SIGN_DEG
        for other in others
    )


def _side(claim: Claim, known: Witnesses) -> Claim | None:
    """A side that is told, against the measured directions of what the claim speaks of."""
    if claim.kind == "relation":  # the side may be that of one thing from another
        return None
    sides = known.language.sides(claim.text)
    if not sides or {"left", "right"} <= sides or {"ahead", "behind"} <= sides:
        return None
    located = [item for item in _meant(claim, known) if item.angle_deg is not None]
    clauses = known.language.sides_by_clause(claim.text)
    if not located or any(all(map(item.may_be, clause)) for item in located for clause in clauses):
        return None
    told = " and ".join(sorted(sides))
    return _found(claim, "contradicted", located, f"{located[0].id} is not {told}: {located[0].angle_deg:+.0f} degrees")


def _meant(claim: Claim, known: Witnesses) -> list[Testimony]:
    """The cues that a claim surely speaks of: those it calls by name, else those it quotes, else those it cites.

    None where it names or quotes something only to say where another thing is.
    """
    mapped = [item for item in known.heard if item.witness == "map"]
    names = {item.id: verbatim(claim.text, item.texts)[0] for item in mapped}
    quoted = _quoted(claim, known)
    mentioned = [*quoted, *(name for found in names.values() for name in found)]
    if not mentioned:
        return [item for item in (known.by_id.get(i) for i in claim.cites) if item]
    if any(known.language.is_landmark(claim.text, words) for words in mentioned):
        return []
    return [item for item in mapped if names[item.id]] or [item for signs in quoted.values() for item in signs]


def _quoted(claim: Claim, known: Witnesses) -> dict[str, list[Testimony]]:
    """The signs that a claim quotes, by the words as it has them: in quotation marks, or in the sign's own capitals."""
    signs = [item for item in known.heard if item.lettering]
    capitals = [text for item in signs for text in item.texts if text.isupper() and len(text) >= _LEAST_CAPITALS]
    plain, _ = verbatim(masked_quotations(claim.text), capitals)
    least = known.policy.text_likeness
    found = {
        words: [item for item in signs if any(same_lettering(words, text, least) for text in item.texts)]
        for words in (*quotations(claim.text), *plain)
    }
    return {words: items for words, items in found.items() if items}


def _layout(claim: Claim, known: Witnesses) -> Claim | None:
    """A roundabout, rails or water, against a map that would have them."""
    mapped = [text for item in known.heard if item.witness == "map" for text in item.texts]
    for layout in known.language.layout(claim.text, known.language.names(claim.text, mapped)):
        kind = _LAYOUT_FACTS[layout]
        if kind not in known.charted:
            continue
        there = [
            item
            for item in known.heard
            if item.kind == kind
            and (item.distance_m or 0.0) <= _LAYOUT_M
            and (layout != "roundabout" or layout in item.words)
        ]
        if not there:
            return _found(claim, "contradicted", [], f"the map, which is complete in it, has no {layout} here")
    return None


def _spoken_of(claim: Claim, known: Witnesses) -> Claim | None:
    """A witness whose own words say most of what the claim says, in a direction that fits."""
    if claim.kind == "relation":  # two things that are there need not stand to each other as is told
        return None
    if quotations(claim.text):  # words on a sign are borne out by who read them, all of them
        return None
    found = [item for item in known.heard if _tells(item, claim.text, claim, known)]
    return _found(claim, "supported", found) if found else None
