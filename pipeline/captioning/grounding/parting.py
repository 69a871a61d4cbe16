"""A writer's sentence that is several, taken apart, so that none is borne out by what bears out its neighbour."""

from collections.abc import Sequence

from pipeline.captioning.language.base import Language
from schemas.records import Claim, Sentence


def parted(sentences: Sequence[Sentence], language: Language) -> list[Sentence]:
    """The sentences, each of them one, with the claims that are of it.

    A claim that is several sentences is taken apart in the same way. A claim belongs to the sentence with which it
    shares most words. One that cannot be understood by itself (`It is red.`) becomes that sentence: nobody who is given
    the claim alone could judge it.
    """
    found: list[Sentence] = []
    for sentence in sentences:
        parts = language.sentences(sentence.text)
        claims = [
            claim.model_copy(update={"text": text})
            for claim in sentence.claims
            for text in language.sentences(claim.text)
        ]
        of: list[list[Claim]] = [[] for _ in parts]
        for stated in claims:
            words = language.stems(stated.text)
            at = max(range(len(parts)), key=lambda i: len(words & language.stems(parts[i])))
            leans = language.refers_back(stated.text)
            claim = stated.model_copy(update={"text": parts[at]}) if leans else stated
            if claim.text not in [other.text for other in of[at]]:
                of[at].append(claim)
        found += [
            sentence.model_copy(update={"text": text, "claims": mine, "cue_ids": _cited(mine)})
            for text, mine in zip(parts, of, strict=True)
        ]
    return found


def _cited(claims: Sequence[Claim]) -> list[str]:
    return list(dict.fromkeys(cue_id for claim in claims for cue_id in claim.cites))
