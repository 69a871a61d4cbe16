"""The whole of it: what a description claims is judged, what fails is taken out, and what is left may be published."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.claims import Witnesses, judge_claim
from pipeline.captioning.grounding.frames import in_one_frame
from pipeline.captioning.grounding.mending import Fault, mended, repeated_share, said_twice, taken_out
from pipeline.captioning.grounding.rules import broken_rules, unclaimed
from pipeline.captioning.grounding.verification import Heard, with_answer
from pipeline.captioning.language import language_of
from pipeline.captioning.language.quotes import quotations
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.captioning.witnesses import gather_testimony
from pipeline.config.captioning import Grounding
from schemas.reasons import Reason
from schemas.records import Claim, Dropped, Note, Sentence, Variant

VERSION = 9
VARIANTS: tuple[Variant, ...] = ("long", "short", "street")
_EXACT = frozenset({"sign", "name", "count", "map"})
"""Kinds of claim that `strict` wants a second witness for."""
_TOLD = 3


@dataclass(frozen=True)
class Grounded:
    """A description without the sentences that failed the checks."""

    sentences: list[Sentence]
    """Sentences of all variants, each variant's in reading order, with their claims judged."""
    dropped: list[Dropped]
    fault: tuple[Reason, str] | None
    """Why it may not be published."""


def witnesses_of(evidence: Evidence, notes: Sequence[Note], policy: Grounding, language: str) -> Witnesses:
    """The witnesses that the claims about a place are held against.

    Raises:
        ConfigError: there are no rules for the language.
    """
    spoken = language_of(language)
    return Witnesses(gather_testimony(evidence, notes, spoken), frozenset(evidence.site.charted), policy, spoken)


def ground(
    sentences: Sequence[Sentence],
    known: Witnesses,
    region: str,
    said: Heard | None = None,
    short_tokens: int = 77,
) -> Grounded:
    """Judge a description and take out what fails.

    Args:
        sentences: of all variants, each variant's in reading order, with the claims that their writer lists.
        known: the witnesses, the policy and the language.
        region: name of the site's region, which no text may tell.
        said: what the verifier answered; None where there is none.
        short_tokens: CLIP tokens that the short variant may have.
    """
    judged = [_judged(sentence, known, said) for sentence in sentences]
    kept: list[Sentence] = []
    dropped: list[Dropped] = []
    for variant in VARIANTS:
        mine = [sentence for sentence in judged if sentence.variant == variant]
        twice = said_twice(mine)
        dropped += [taken_out(mine[i], ["it is said twice"]) for i in sorted(twice)]
        once = [sentence for i, sentence in enumerate(mine) if i not in twice]
        standing, gone = mended(once, lambda sentence: _faults(sentence, known, region), known.language)
        framed, odd = in_one_frame(standing, known.language)
        kept += framed
        dropped += [*gone, *odd]
    kept = _with_short(kept, known, short_tokens)
    return Grounded(kept, dropped, _fault(judged, kept, dropped, known))


def _judged(sentence: Sentence, known: Witnesses, said: Heard | None) -> Sentence:
    """The sentence with its claims judged; what it says unclaimed is a claim of its own, the sentence itself."""
    claims = list(sentence.claims)
    loose = unclaimed(sentence.text, claims, known)
    if loose or not claims:
        claims.append(whole_claim(sentence))
    judged = [_unless_illegible(with_answer(judge_claim(claim, known), said), known, said) for claim in claims]
    return sentence.model_copy(update={"claims": judged})


def _unless_illegible(claim: Claim, known: Witnesses, said: Heard | None) -> Claim:
    """The claim; words that only notes have, and that a believed verifier who looked cannot read, are nobody's."""
    unread = said is not None and said.believed and said.answers.get(claim.text) == "cannot"
    by_id = known.by_id
    if not unread or claim.outcome != "supported" or not quotations(claim.text):
        return claim
    if any(by_id[i].witness != "notes" for i in claim.witnesses):
        return claim
    return claim.model_copy(update={"outcome": "not_witnessed", "witnesses": []})


def whole_claim(sentence: Sentence) -> Claim:
    """The sentence as a claim, for what it says and none of its claims does."""
    kind = sentence.claims[0].kind if sentence.claims else "thing"
    return Claim(text=sentence.text, kind=kind, cites=sentence.cue_ids, outcome="not_witnessed", witnesses=[])


def to_verify(sentences: Sequence[Sentence], known: Witnesses) -> list[Claim]:
    """All claims of a description that a verifier is to judge, those included that the sentences themselves are."""
    claims = [claim for sentence in sentences for claim in sentence.claims]
    loose = [s for s in sentences if not s.claims or unclaimed(s.text, s.claims, known)]
    return list({claim.text: claim for claim in [*claims, *map(whole_claim, loose)]}.values())


def _faults(sentence: Sentence, known: Witnesses, region: str) -> list[Fault]:
    """Why a judged sentence cannot stand, by the policy's level."""
    level = known.policy.level
    found = [Fault(why) for why in broken_rules(sentence.text, known, region)]
    for claim in sentence.claims:
        if claim.outcome == "contradicted":
            found.append(Fault(f"'{claim.text}': {claim.detail}", claim))
        elif level != "lenient" and claim.outcome == "not_witnessed":
            found.append(Fault(f"'{claim.text}': nobody but the writer says so", claim))
        elif level == "strict" and claim.kind in _EXACT and claim.witnesses == ["verifier"]:
            found.append(Fault(f"'{claim.text}': the verifier is its only witness", claim))
    return found


def _with_short(kept: list[Sentence], known: Witnesses, short_tokens: int) -> list[Sentence]:
    """Where nothing of the short variant stands, its place is taken by the first sentences of the long one."""
    if any(sentence.variant == "short" for sentence in kept):
        return kept
    chosen: list[Sentence] = []
    for sentence in (s for s in kept if s.variant == "long" and not known.language.refers_back(s.text)):
        longer = [*chosen, sentence.model_copy(update={"variant": "short"})]
        if len(longer) > 2 or count_clip_tokens(text_of(longer, "short")) > short_tokens:
            break
        chosen = longer
    at = sum(sentence.variant == "long" for sentence in kept)
    return [*kept[:at], *chosen, *kept[at:]]


def text_of(sentences: Sequence[Sentence], variant: Variant) -> str:
    """One variant: its sentences, joined."""
    return " ".join(sentence.text for sentence in sentences if sentence.variant == variant)


def _fault(
    judged: Sequence[Sentence], kept: Sequence[Sentence], dropped: Sequence[Dropped], known: Witnesses
) -> tuple[Reason, str] | None:
    policy = known.policy
    claims = {claim.text: claim for sentence in judged for claim in sentence.claims}
    against = [claim for claim in claims.values() if claim.outcome == "contradicted"]
    if len(against) > policy.max_contradicted * len(claims):
        told = "; ".join(f"'{claim.text}': {claim.detail}" for claim in against[:_TOLD])
        return Reason.UNGROUNDED, f"{len(against)} of {len(claims)} claims are contradicted: {told}"
    long = text_of(kept, "long")
    words = len(long.split())
    if words < policy.min_words or not any(sentence.variant == "short" for sentence in kept):
        why = "; ".join(line for gone in dropped[:_TOLD] for line in gone.why[:1])
        return Reason.TOO_LITTLE_TO_SAY, f"{words} words are left, {policy.min_words} asked for" + (
            f"; taken out: {why}" if why else ""
        )
    if not known.language.is_written_in(long):
        return Reason.UNGROUNDED, f"it is not written in the language {known.language.code!r}: {long[:60]}"
    if repeated_share([s for s in kept if s.variant == "long"]) > policy.max_repeated:
        return Reason.TOO_LITTLE_TO_SAY, "it says the same again and again"
    return None
