"""Checks on a description that do not trust its writer, whoever that is.

Every sentence is read anew (`checks.reading`): what it quotes, names, says to be there and denies, and where. Each of
these claims is compared with all the evidence of the place, whichever cues the writer says it rests on, and gets a
verdict. Evidence never proves that a thing is absent, so to say so fails. The rest is what no description may say:
talk of views and files, hedging, instructions, coordinates, the names of streets and towns that nobody can read there.

The reading is by rule, for English. It takes the words for things from `checks/things.yaml`, those for places, looks
and manners from `checks/english.yaml`. What no list knows is `unknown`, and a description may hold only so much of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.captioning.base import Evidence
from pipeline.captioning.evidence import Item, Known, known
from pipeline.captioning.grounding import style
from pipeline.captioning.grounding.finding import Finding, finding
from pipeline.captioning.grounding.objects import bonded, judge_denial, judge_thing
from pipeline.captioning.grounding.quotes_and_names import alike, judge_name, judge_quote
from pipeline.captioning.language.en import sentence_parser as reading
from pipeline.captioning.language.en.english import English, english
from pipeline.captioning.language.en.kinds import Kinds, kinds
from pipeline.captioning.language.en.nouns import Nouns
from pipeline.captioning.language.en.sentence_parser import Reading
from pipeline.captioning.language.en.where import Place
from pipeline.config.captioning import Grounding
from schemas.reasons import Reason
from schemas.records import Sentence, Variant, Verdict

VERSION = 2
LANGUAGES = ("en",)
"""ISO 639-1 codes of the languages that can be judged."""
_FAULTY = ("contradicted", "unsupported", "forbidden")
_MOST_TOLD = 5
_MEND = {
    ("quote", "unsupported"): "{} is on no sign that was read",
    ("quote", "forbidden"): "{} will be gone tomorrow: leave it out",
    ("name", "unsupported"): "'{}' is a name neither read nor on the map",
    ("name", "forbidden"): "'{}' may not be named: nobody can read it there",
    ("place", "forbidden"): "'{}' gives the place away: leave it out",
    ("object", "unsupported"): "'{}' is not among the evidence",
    ("object", "contradicted"): "'{}' is not what the evidence says",
    ("object", "forbidden"): "'{}' will be gone tomorrow: leave it out",
    ("map", "unsupported"): "'{}' is not among the evidence",
    ("map", "contradicted"): "'{}' is not what the map and the evidence say",
    ("direction", "contradicted"): "'{}' is not where the evidence has it",
    ("view", "forbidden"): "'{}': tell of the place, not of pictures, maps or files",
    ("style", "forbidden"): "'{}': say plainly what is there, or leave it out",
    ("instruction", "forbidden"): "'{}' is no description of a place: leave it out",
    ("language", "forbidden"): "'{}' is not in the language asked for",
    ("language", "unsupported"): "there are no words to judge the language '{}' with",
    ("length", "unsupported"): "'{}': too short, or not a whole sentence",
    ("repetition", "forbidden"): "'{}' is said twice",
}


@dataclass(frozen=True)
class _Case:
    """What the sentences of one description are judged by."""

    evidence: Known
    names: list[str]
    nouns: Nouns
    policy: Grounding
    kinds: Kinds
    english: English


def judge(sentences: Sequence[Sentence], evidence: Evidence, policy: Grounding, language: str) -> list[Verdict]:
    """A verdict on every claim of a description, by variant and sentence.

    Args:
        sentences: of all variants, each variant's in reading order.
        evidence: what the place is known by.
        policy: what is asked of a description.
        language: ISO 639-1 code of the description. In one other than `LANGUAGES` nothing can be judged, which is
            itself a verdict.
    """
    if language not in LANGUAGES:
        return [_verdict(s.variant, 0, finding("language", language, "unsupported")) for s in sentences[:1]]
    words, names = kinds(), [text for cue in evidence.cues for text in (cue.text, cue.text_en) if text]
    names += [name for fact in evidence.site.facts for name in (fact.name, fact.name_en) if name]
    facts = known(evidence, words)
    nouns = words.nouns_of(item.kind for item in facts.items if item.kind)
    case = _Case(facts, list(dict.fromkeys(names)), nouns, policy, words, english())
    variants = dict.fromkeys(sentence.variant for sentence in sentences)
    return [verdict for v in variants for verdict in _judge_variant(v, [s for s in sentences if s.variant == v], case)]


def fault_of(verdicts: Sequence[Verdict], policy: Grounding) -> tuple[Reason, str] | None:
    """Why a description may not be published, in words that name its claims; None if it may."""
    failed = [verdict for verdict in verdicts if verdict.outcome in _FAULTY]
    if failed:
        told = list(dict.fromkeys(_mend(verdict) for verdict in failed))
        more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        return Reason.UNGROUNDED, "; ".join(told[:_MOST_TOLD]) + more
    unknown = [verdict for verdict in verdicts if verdict.outcome == "unknown"]
    if len(unknown) > policy.unknown_claims * len(verdicts):
        claims = ", ".join(f"'{claim}'" for claim in dict.fromkeys(v.claim for v in unknown[:_MOST_TOLD]))
        return Reason.UNGROUNDED, f"{len(unknown)} of {len(verdicts)} claims cannot be checked: {claims}"
    return None


def to_mend(verdicts: Sequence[Verdict]) -> list[str]:
    """The claims that failed, each as an instruction to its writer; those that cannot be checked, if none failed."""
    failed = [verdict for verdict in verdicts if verdict.outcome in _FAULTY]
    if failed:
        return list(dict.fromkeys(_mend(verdict) for verdict in failed))
    unknown = dict.fromkeys(verdict.claim for verdict in verdicts if verdict.outcome == "unknown")
    return [f"'{claim}' rests on nothing that can be checked: leave it out" for claim in unknown]


def _mend(verdict: Verdict) -> str:
    text = _MEND[verdict.check, verdict.outcome].format(verdict.claim)
    return f"{text} (see {', '.join(verdict.cue_ids[:3])})" if verdict.cue_ids else text


def _verdict(variant: Variant, number: int, found: Finding) -> Verdict:
    return Verdict(
        variant=variant,
        sentence=number,
        check=found.check,
        claim=found.claim,
        outcome=found.outcome,
        cue_ids=list(found.cue_ids),
    )


def _judge_variant(variant: Variant, sentences: Sequence[Sentence], case: _Case) -> list[Verdict]:
    repeats = style.repeated([sentence.text for sentence in sentences], case.policy.most_repeated)
    told_last: Place | None = None
    verdicts, readings = [], []
    for i, sentence in enumerate(sentences):
        found: list[Finding] = []
        mine: list[Reading] = []
        for text in reading.sentences(sentence.text, case.english):
            here, told_last = reading.read(text, case.names, case.nouns, told_last, case.kinds, case.english)
            mine.append(here)
            found += _judge_reading(here, case)
        found += _judge_citations(sentence, mine, found, case)
        found += [repeats[i]] if i in repeats else []
        verdicts += [_verdict(variant, i, f) for f in dict.fromkeys(found)]
        readings += mine
    whole: Iterable[Finding | None] = (
        style.judge_small_words(" ".join(here.plain for here in readings), case.english),
        style.judge_length(variant, sum(len(s.text.split()) for s in sentences), case.policy.least_words),
    )
    return [*verdicts, *(_verdict(variant, 0, f) for f in whole if f is not None)]


def _judge_reading(here: Reading, case: _Case) -> list[Finding]:
    evidence, policy, kinds, english = case.evidence, case.policy, case.kinds, case.english
    form = (
        style.judge_ending(here.text, here.unquoted, english),
        style.judge_language(here.unquoted, here.plain, english),
    )
    return [
        *(f for quote in here.quotes for f in judge_quote(quote, evidence, policy, kinds, english)),
        *(f for name in here.names for f in judge_name(name, evidence, policy, kinds, english)),
        *(f for thing in here.things for f in judge_thing(thing, evidence, kinds, english)),
        *(judge_denial(denial, evidence, kinds) for denial in here.denials),
        *(finding("object", phrase, "unknown") for phrase in here.strange),
        *style.judge_style(here.text, here.unquoted, english),
        *(f for f in form if f is not None),
    ]


def _judge_citations(
    sentence: Sentence, here: Sequence[Reading], found: Sequence[Finding], case: _Case
) -> list[Finding]:
    """Cues that the writer claims a sentence rests on: each must exist, and the sentence should speak of it."""
    by_id: dict[str, Item] = {item.cue_id: item for item in case.evidence.items if item.cue_id}
    spoken = {cue_id for f in found for cue_id in f.cue_ids}
    answers = []
    for cue_id in sentence.cue_ids:
        item = by_id.get(cue_id)
        if item is None:
            answers.append(finding("object", f"cites {cue_id}", "unsupported"))
        elif cue_id not in spoken and not _speaks_of(item, here, case):
            answers.append(finding("object", f"cites {cue_id}", "unknown", [item]))
    return answers


def _speaks_of(item: Item, here: Sequence[Reading], case: _Case) -> bool:
    texts = [quote.text for r in here for quote in r.quotes] + [name.text for r in here for name in r.names]
    if any(alike(text, [item], case.policy.text_likeness, case.kinds) for text in texts):
        return True
    return any(any(bonded(thing.kind, [item], case.kinds).values()) for r in here for thing in r.things)
