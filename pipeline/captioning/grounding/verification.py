"""Claims put to a model that sees the pictures, among controls that measure how far it can be believed.

The verifier is given plain statements in an order drawn for the site, each for itself: not the text that they are of,
nor who wrote it. Some are controls: false ones, made from the claims themselves by changing one word (a side, a colour,
a number, the letters of a sign) or telling of a thing that nothing speaks of; and true ones, on which two sorts of
witnesses agree: claims, and a few further statements. A false control that a witness bears out is not put, nor is one
of another side where something like it is known; and it counts only if the claim that it was made from was confirmed,
or its own falsehood would be in doubt.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.captioning.grounding.claims import Witnesses, judge_claim
from pipeline.captioning.likeness import same_lettering
from pipeline.digest import digest
from schemas.records import Answer, Claim, ClaimKind, Control, Verdict

_TRUE_SHARE = 3
"""False controls to each true one."""
_TO_BE_JUDGED = 2
"""Controls that a site must have for its verifier to be disbelieved by them."""
_LIKE = 0.5
"""Share of a statement's words from which a witness speaks of such a thing."""
_RUN_ON = frozenset({"road", "map"})
"""Kinds of claim about what leads, as a rule, to the other side as well."""
_AGREED = 2
"""Sorts of witnesses that make a claim a true control itself."""


@dataclass(frozen=True)
class Statement:
    """One statement put to the verifier."""

    text: str
    kind: ClaimKind
    holds: bool | None
    """Whether a control is true; None for a claim."""
    of: str | None = None
    """Text of the claim that a false control was made from."""
    witnesses: int = 0
    """Number of sorts of witnesses that code finds for a claim: OCR, detector, map, notes."""


def statements(claims: Sequence[Claim], known: Witnesses, *key: object) -> list[Statement]:
    """The distinct claims and their controls, in an order that hangs on the key alone."""
    draw = random.Random(digest("verify", *key))  # noqa: S311 - for a fair order, not for secrets
    distinct = {c.text: Statement(c.text, c.kind, None, witnesses=_witnesses(c, known)) for c in claims}
    made = [*_false(claims, known, draw), *_true(known)[: _round_up(known.policy.controls)]]
    controls = {made.text: made for made in made if made.text not in distinct}
    ordered = [*distinct.values(), *controls.values()]
    draw.shuffle(ordered)
    return ordered


def _round_up(controls: int) -> int:
    return -(-controls // _TRUE_SHARE)


def _false(claims: Sequence[Claim], known: Witnesses, draw: random.Random) -> list[Statement]:
    """False controls: of each kind some, as far as the claims have words for it."""
    by_kind: dict[ClaimKind, list[Statement]] = {}
    for claim in claims:
        for kind, text in known.language.spoilt(claim.text, draw):
            other = claim.model_copy(update={"text": text, "cites": []})
            doubtful = kind == "side" and (claim.kind in _RUN_ON or _something_like(other, known))
            if not doubtful and not _witnesses(other, known):
                by_kind.setdefault(kind, []).append(Statement(text, kind, False, claim.text))
    evidence = [f"{item.words} {' '.join(item.texts)}" for item in known.heard]
    evidence += [claim.text for claim in claims]
    absent = known.language.absent(evidence, draw)
    if absent is not None:
        by_kind.setdefault("thing", []).insert(0, Statement(absent, "thing", False))
    for found in by_kind.values():
        draw.shuffle(found)
    chosen: list[Statement] = []
    kinds = sorted(by_kind)
    draw.shuffle(kinds)
    while len(chosen) < known.policy.controls and any(by_kind.values()):
        for kind in kinds:
            if by_kind[kind] and len(chosen) < known.policy.controls:
                chosen.append(by_kind[kind].pop())
    return chosen


def _something_like(claim: Claim, known: Witnesses) -> bool:
    """Whether a witness tells, in half the claim's words, of something that may lie on its side."""
    wanted, sides = known.language.stems(claim.text), known.language.sides(claim.text)
    return any(
        _LIKE * len(wanted) <= len(wanted & known.language.stems(" ".join((item.words, *item.texts))))
        and all(map(item.may_be, sides))
        for item in known.heard
    )


def _witnesses(claim: Claim, known: Witnesses) -> int:
    judged, by_id = judge_claim(claim, known), known.by_id
    return len({by_id[i].witness for i in judged.witnesses}) if judged.outcome == "supported" else 0


def _true(known: Witnesses) -> list[Statement]:
    """True controls: words on a sign that OCR and the notes read alike, and things that both saw."""
    lasting = [item for item in known.heard if item.lasting]
    notes = [item for item in lasting if item.witness == "notes"]
    rules = known.language.rules
    found = []
    for item in lasting:
        if item.witness == "ocr":
            words = item.texts[0]
            if any(same_lettering(words, text, known.policy.text_likeness) for note in notes for text in note.texts):
                found.append(Statement(rules.sign_reads.format(words=words), "sign", True))
        elif item.witness == "detector":
            stems = known.language.stems(item.called)
            if stems and any(stems <= known.language.stems(note.words) for note in notes):
                found.append(Statement(rules.thing_is.format(thing=item.called), "thing", True))
    return found


@dataclass(frozen=True)
class Heard:
    """The verifier's answers about one description."""

    answers: Mapping[str, Answer]
    """By statement; `cannot` where it gave none."""
    controls: list[Control]
    believed: bool
    """Whether its answers on this site count."""
    decided: Mapping[str, str] = field(default_factory=dict)
    """By statement, the picture that decided, as `Verdict.picture` names it; without those that name none."""


def heard(asked: Sequence[Statement], answers: Mapping[str, Answer], believed_above: float) -> Heard:
    """The answers, and what the controls say of them."""
    controls = [
        Control(
            kind=s.kind,
            text=s.text,
            holds=s.holds is not False,
            answer=answers.get(s.text, "cannot"),
            counted=s.holds is not False or s.of is None or answers.get(s.of) == "yes",
        )
        for s in asked
        if s.holds is not None or s.witnesses >= _AGREED
    ]
    counted = [control for control in controls if control.counted]
    wrong = sum(control.answer != "yes" if control.holds else control.answer == "yes" for control in counted)
    told_apart = len(counted) < _TO_BE_JUDGED or wrong <= (1.0 - believed_above) * len(counted)
    # Who says no to all spoils the false controls as well: what witnesses bear out must find some yes.
    witnessed = [s for s in asked if s.witnesses or s.holds]
    confirmed = len(witnessed) < _TO_BE_JUDGED or any(answers.get(s.text) == "yes" for s in witnessed)
    return Heard({s.text: answers.get(s.text, "cannot") for s in asked}, controls, told_apart and confirmed)


def with_answer(claim: Claim, said: Heard | None) -> Claim:
    """The claim with the verifier's answer beside what code found. A contradiction stands, whoever it is of."""
    answer = said.answers.get(claim.text) if said is not None else None
    if said is None or answer is None:
        return claim
    claim = claim.model_copy(update={"verdict": Verdict(answer=answer, picture=said.decided.get(claim.text))})
    if not said.believed or answer == "cannot" or claim.outcome == "contradicted":
        return claim
    if answer == "no":
        detail = "the verifier says no"
        return claim.model_copy(update={"outcome": "contradicted", "witnesses": ["verifier"], "detail": detail})
    return claim.model_copy(update={"outcome": "supported", "witnesses": [*claim.witnesses, "verifier"]})
