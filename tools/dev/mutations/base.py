"""What every mutation of a description is made with; the mutations are in `suite`."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.captioning.base import Evidence
from schemas.records import Cue, Sentence


@dataclass(frozen=True)
class Case:
    """A good description of a place, and others to take foreign matter from."""

    evidence: Evidence
    sentences: list[Sentence]
    others: Sequence["Case"] = ()


Mutate = Callable[[Case, np.random.Generator], list[Sentence] | None]


@dataclass(frozen=True)
class Mutation:
    """One way to spoil a description."""

    name: str
    checks: frozenset[str]
    """Of these at least one must fail."""
    mutate: Mutate
    """None where the description gives no occasion."""

    def apply(self, case: Case, seed: int = 0) -> list[Sentence] | None:
        """The spoilt sentences; the same for the same case and seed."""
        key = hashlib.blake2b(f"{seed} {self.name} {case.evidence.site.site_id}".encode(), digest_size=16).digest()
        rng = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))
        return self.mutate(case, rng)


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def long_of(case: Case) -> list[int]:
    return [i for i, sentence in enumerate(case.sentences) if sentence.variant == "long"]


def with_text(case: Case, index: int, text: str) -> list[Sentence]:
    spoilt = list(case.sentences)
    spoilt[index] = spoilt[index].model_copy(update={"text": text})
    return spoilt


def with_more(case: Case, text: str, rng: np.random.Generator) -> list[Sentence]:
    """A sentence put somewhere after the first."""
    rows = long_of(case)
    at = rows[int(rng.integers(len(rows)))] + 1
    added = Sentence(variant="long", text=text, cue_ids=[])
    return [*case.sentences[:at], added, *case.sentences[at:]]


def into_sentence(case: Case, rng: np.random.Generator, phrase: str) -> list[Sentence]:
    rows = long_of(case)
    i = rows[int(rng.integers(len(rows)))]
    return with_text(case, i, case.sentences[i].text.rstrip(".") + f" {phrase}.")


def texts_of(case: Case) -> list[str]:
    return [w for cue in case.evidence.cues for w in (cue.text, cue.text_en) if w] + [
        f.name for f in case.evidence.site.facts if f.name
    ]


def classes(evidence: Evidence) -> set[str]:
    """Raw classes and words of all that is there, passing things and the map's facts included."""
    cues = {word for cue in evidence.cues for word in (cue.label, cue.category or "", (cue.text or "").casefold())}
    return cues | {
        word for fact in evidence.site.facts for word in (fact.kind, fact.category, (fact.name or "").casefold())
    }


def lacks(evidence: Evidence, wanted: Sequence[str]) -> bool:
    there = classes(evidence)
    return not any(want == word or (len(want) > 4 and want in word) for want in wanted for word in there)


def sort_of(cue: Cue) -> tuple[str, str]:
    return (cue.label, cue.category or "") if cue.kind == "map" else (cue.label, "")
