"""Taking out what failed: a clause where it can be cut, else the sentence, and with it what leans on it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from pipeline.captioning.language.base import Language
from pipeline.captioning.likeness import folded
from schemas.records import Claim, Dropped, Sentence

_SAME_SENTENCE = 92.0
_LEAST_FOR_TRIGRAMS = 20
LEANS = "it leans on a sentence that was taken out"


@dataclass(frozen=True)
class Fault:
    """Why a sentence cannot stand as it is."""

    why: str
    claim: Claim | None = None
    """The claim that failed; None where the sentence itself may not be said."""


def mended(
    sentences: Sequence[Sentence], faults_of: Callable[[Sentence], list[Fault]], language: Language
) -> tuple[list[Sentence], list[Dropped]]:
    """One variant's sentences without what failed, in order, and what was taken out.

    A sentence loses a clause where its failed claims are the words of one that can be cut and nothing else in it fails;
    otherwise it goes, and so do those after it that speak of what it named.
    """
    kept: list[Sentence] = []
    dropped: list[Dropped] = []
    missing = False
    for sentence in sentences:
        faults = faults_of(sentence)
        if missing and language.refers_back(sentence.text):
            dropped.append(taken_out(sentence, [*(f.why for f in faults), LEANS]))
            continue
        shorter = _cut(sentence, faults, language) if faults else sentence
        if shorter is None or (shorter is not sentence and faults_of(shorter)):
            dropped.append(taken_out(sentence, [f.why for f in faults]))
            missing = True
            continue
        if shorter is not sentence:
            dropped.append(taken_out(sentence, [f"{fault.why} (a clause was cut)" for fault in faults]))
        kept.append(shorter)
        missing = False
    return kept, dropped


def taken_out(sentence: Sentence, why: Sequence[str]) -> Dropped:
    """A sentence as it was written, and why it is not published."""
    return Dropped(variant=sentence.variant, text=sentence.text, claims=sentence.claims, why=list(dict.fromkeys(why)))


def _cut(sentence: Sentence, faults: Sequence[Fault], language: Language) -> Sentence | None:
    failed = [fault.claim.text for fault in faults if fault.claim is not None]
    if len(failed) < len(faults):
        return None
    parts = [claim for claim in sentence.claims if claim.text != sentence.text]  # the whole is no clause of its own
    wrong = [claim.text for claim in parts if claim.text in failed]
    sound = [claim for claim in parts if claim.text not in failed]
    text = language.without(sentence.text, wrong, [claim.text for claim in sound]) if sound else None
    if text is None:
        return None
    cited = list(dict.fromkeys(i for claim in sound for i in claim.cites))
    return sentence.model_copy(update={"text": text, "claims": sound, "cue_ids": cited})


def said_twice(sentences: Sequence[Sentence]) -> frozenset[int]:
    """Places, within one variant, of the sentences that say again what one before them said."""
    plain = [folded(sentence.text) for sentence in sentences]
    return frozenset(
        i for i, text in enumerate(plain) if any(fuzz.ratio(text, other) >= _SAME_SENTENCE for other in plain[:i])
    )


def repeated_share(sentences: Sequence[Sentence]) -> float:
    """Share of a text's trigrams that are repeats; 0 for a short one."""
    words = " ".join(folded(sentence.text) for sentence in sentences).split()
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    total = sum(trigrams.values())
    return (total - len(trigrams)) / total if total >= _LEAST_FOR_TRIGRAMS else 0.0
