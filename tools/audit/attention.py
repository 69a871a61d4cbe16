"""Attention checks: a sample shown with one thing made untrue, which an annotator who looks will find.

The falsehoods are those that builds put to their verifiers (`Language.spoilt` and `Language.absent`): a word changed in
a sentence of which a witness bears out the changed word, or a sentence about a thing that no evidence speaks of.
"""

import random
import re
from collections.abc import Sequence

from pipeline.captioning.language import LANGUAGES, language_of
from schemas.records import Claim, ClaimKind, Sample, Sentence
from tools.audit.records import Planted


def plant(sample: Sample, draw: random.Random) -> Planted | None:
    """A falsehood for the long description of a sample; None where nothing in it can be made untrue for sure."""
    if sample.language not in LANGUAGES:
        return None
    language = language_of(sample.language)
    found: dict[ClaimKind, list[Planted]] = {}
    for index, sentence in enumerate(sample.sentences):
        if sentence.variant != "long":
            continue
        for kind, after in language.spoilt(sentence.text, draw):
            old, new = _changed(sentence.text, after)
            claims = [_replaced(c, old, new) for c in sentence.claims if c.outcome == "supported" and _has(c, old)]
            if claims:
                planted = Planted(kind=kind, sentence=index, before=sentence.text, after=after, claims=claims)
                found.setdefault(kind, []).append(planted)
    absent = language.absent(_evidence(sample), draw)
    last = max((i for i, s in enumerate(sample.sentences) if s.variant == "long"), default=None)
    if absent is not None and last is not None:
        found.setdefault("thing", []).append(
            Planted(kind="thing", sentence=last + 1, before="", after=absent, claims=[absent])
        )
    return draw.choice(found[draw.choice(sorted(found))]) if found else None


def spoilt(sample: Sample, planted: Planted) -> Sample:
    """The sample as the annotator sees it. It looks like any other: the claim stands there as witnessed."""
    sentences = list(sample.sentences)
    if planted.before:
        old, new = _changed(planted.before, planted.after)
        before = sentences[planted.sentence]
        claims = [
            claim.model_copy(update={"text": text}) if (text := _replaced(claim, old, new)) in planted.claims else claim
            for claim in before.claims
        ]
        sentences[planted.sentence] = before.model_copy(update={"text": planted.after, "claims": claims})
        description = sample.description.replace(planted.before, planted.after, 1)
    else:
        cue = next((cue.cue_id for cue in sample.cues if cue.kind == "object"), None)
        by = [cue] if cue else []
        claim = Claim(text=planted.after, kind=planted.kind, cites=by, outcome="supported", witnesses=by)
        added = Sentence(variant="long", text=planted.after, cue_ids=by, claims=[claim])
        sentences.insert(planted.sentence, added)
        description = f"{sample.description} {planted.after}"
    return sample.model_copy(update={"sentences": sentences, "description": description})


def is_there(sample: Sample, planted: Planted) -> bool:
    """Whether the sample still has the sentence that was made untrue."""
    return not planted.before or planted.before in {sentence.text for sentence in sample.sentences}


def _evidence(sample: Sample) -> list[str]:
    cues = [" ".join(filter(None, (cue.attribute, cue.label, cue.category, cue.text))) for cue in sample.cues]
    notes = [" ".join(filter(None, (note.what, note.looks, note.text))) for note in sample.notes]
    return [*cues, *notes, *(claim.text for sentence in sample.sentences for claim in sentence.claims)]


def _changed(before: str, after: str) -> tuple[str, str]:
    """The words that differ: the shortest run of whole words."""
    old, new = before.split(" "), after.split(" ")
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - start
    end = next((i for i in range(most) if old[-1 - i] != new[-1 - i]), most)
    return _bare(" ".join(old[start : len(old) - end])), _bare(" ".join(new[start : len(new) - end]))


def _bare(words: str) -> str:
    return words.strip(" .,;:!?\"'()\u201c\u201d")


def _has(claim: Claim, words: str) -> bool:
    return bool(words) and re.search(rf"(?<!\w){re.escape(words)}(?!\w)", claim.text, re.IGNORECASE) is not None


def _replaced(claim: Claim, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, claim.text, flags=re.IGNORECASE)


def noticed(planted: Planted, verdict: str, edited: str | None, claims: Sequence[str]) -> bool:
    """Whether an annotator found a planted falsehood.

    Args:
        planted: the falsehood.
        verdict: `accept`, `edit` or `reject`.
        edited: the long description as the annotator left it, if it was edited.
        claims: texts of the claims that the annotator called false.
    """
    return (
        verdict == "reject"
        or (verdict == "edit" and planted.after not in (edited if edited is not None else planted.after))
        or not set(claims).isdisjoint(planted.claims)
    )
