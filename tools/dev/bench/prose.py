"""How the checks do on prose that others wrote: `python -m tools.dev.bench.prose FOLDER`.

FOLDER holds a JSON file a place: a seeing model's sentences, each with its claims and their truth, sentences with one
thing made untrue, paraphrases, the evidence of the place, and what another seeing model answered to the claims when it
was asked blind. It prints the true claims and sentences that are refused, the false claims that are caught, by kind,
and the places that would be published; by code alone, and with the recorded verifier. The last line is JSON.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pipeline.captioning.base import Evidence
from pipeline.captioning.dialogue.noting import notes_of
from pipeline.captioning.grounding.claims import Witnesses
from pipeline.captioning.grounding.grounding import ground, whole_claim, witnesses_of
from pipeline.captioning.grounding.verification import Heard
from pipeline.config.captioning import Grounding
from prompts.replies import Observation
from schemas.records import (
    Answer,
    Chip,
    Claim,
    ClaimKind,
    Cue,
    Image,
    ImageryRow,
    MapFact,
    Sentence,
    StreetView,
    Variant,
)

_KINDS = frozenset(get_args(ClaimKind))
_NO_PICTURE = Image(bytes=b"", path="")


@dataclass
class Score:
    """Counts of one way to judge."""

    true_claims: int = 0
    true_claims_refused: int = 0
    true_sentences: int = 0
    true_sentences_refused: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    published: int = 0
    why: list[str] = field(default_factory=list)


def place_of(raw: Mapping[str, Any]) -> tuple[Evidence, list[Any]]:
    """The evidence of a place, and its views with what was noted on them."""
    evidence = raw["evidence"]
    views = [StreetView(**view, image=_NO_PICTURE, truth=None) for view in evidence["views"]]
    row = ImageryRow(
        site_id=raw["site_id"],
        status="ok",
        reason=None,
        detail=None,
        region=evidence["site"]["region"],
        unit="u",
        lat=evidence["site"]["lat"],
        lon=evidence["site"]["lon"],
        weight=1.0,
        views=views,
        aerial=None,
        map=Chip(**evidence["map"], image=_NO_PICTURE) if evidence["map"] else None,
        facts=[MapFact(**fact) for fact in evidence["facts"]],
        missing=[],
    )
    cues = [Cue(**{"mask": None, **cue}) for cue in evidence["cues"]]
    by_id = {view.view_id: view for view in views}
    seen = []
    for noted in raw["observations"]:
        answer = {"indoors": False} | noted["answer"]  # older notes do not say
        for writing in answer["writing"]:
            writing.setdefault("side", "middle")  # older notes do not say
        seen.append((by_id[noted["view_id"]], Observation.model_validate(answer)))
    return Evidence(row, cues), seen


def claims_of(raw: Iterable[Mapping[str, Any]], cites: Sequence[str]) -> list[Claim]:
    """Claims as a writer would list them, all citing what their sentence cites."""
    return [
        Claim(
            text=claim["claim"],
            kind=claim["kind"] if claim["kind"] in _KINDS else "thing",
            cites=list(cites),
            outcome="not_witnessed",
            witnesses=[],
        )
        for claim in raw
    ]


def sentence_of(raw: Mapping[str, Any], claims: Sequence[Claim]) -> Sentence:
    """A sentence with its claims."""
    variant: Variant = raw.get("variant", "long")
    return Sentence(variant=variant, text=raw["text"], cue_ids=list(raw.get("cues", [])), claims=list(claims))


def judge_place(raw: Mapping[str, Any], policy: Grounding, score: Score, *, with_verifier: bool) -> None:
    """Judge one place's sentences, paraphrases and planted false claims, each by itself; then the whole description."""
    evidence, seen = place_of(raw)
    known = witnesses_of(evidence, notes_of(seen, "road"), policy, "en")
    answers: dict[str, Answer] = {one["statement"]: one["answer"] for one in raw["verifier"]}
    truth = {c["claim"]: c["truth"] for s in [*raw["sentences"], *raw["true_paraphrases"]] for c in s["claims"]}
    region = evidence.site.region

    def said(sentence: Sentence) -> Heard | None:
        if not with_verifier:
            return None
        whole = whole_claim(sentence)
        told = [answers.get(claim.text, "cannot") for claim in sentence.claims]
        # What a sentence says beyond its claims nobody was asked; it is as true as they are.
        together: Answer = "no" if "no" in told else "cannot" if "cannot" in told else "yes"
        return Heard({**answers, whole.text: together}, [], believed=True)

    for one in [*raw["sentences"], *raw["true_paraphrases"]]:
        sentence = sentence_of(one, claims_of(one["claims"], one.get("cues", [])))
        failed = failures(sentence, known, region, said(sentence))
        for claim in sentence.claims:
            if truth[claim.text] == "true":
                score.true_claims += 1
                refused = [line for line in failed if claim.text in line]
                score.true_claims_refused += bool(refused)
                score.why += [f"true: {line}" for line in refused]
        if all(truth[claim.text] == "true" for claim in sentence.claims):
            score.true_sentences += 1
            score.true_sentences_refused += bool(failed)
            score.why += [f"true sentence: {sentence.text} | {line}" for line in failed if "nobody" not in line]
    by_id = {f"s{i:02}": one for i, one in enumerate(raw["sentences"], start=1)}
    for one in raw["planted"]:
        cites = by_id.get(one["of"], {}).get("cues", [])
        claims = claims_of([{"claim": one["untrue_claim"], "kind": one["kind"]}], cites)
        sentence = Sentence(variant="long", text=one["text"], cue_ids=list(cites), claims=claims)
        kinds = [one["kind"], "subtle" if one["subtle"] else "coarse", "all"]
        # The planted claim alone decides: what else its sentence says is true.
        caught = any(one["untrue_claim"] in line for line in failures(sentence, known, region, said(sentence)))
        score.planted.update(kinds)
        score.caught.update(kinds if caught else [])
        if not caught:
            score.why.append(f"planted, not caught: {one['kind']}: {one['untrue_claim']}")
    written = [sentence_of(one, claims_of(one["claims"], one["cues"])) for one in raw["sentences"]]
    wholes: dict[str, Answer] = {}
    for sentence in written:
        heard = said(sentence)
        wholes |= dict(heard.answers) if heard else {}
    found = ground(written, known, region, Heard(wholes, [], believed=True) if with_verifier else None)
    score.published += found.fault is None
    if found.fault is not None:
        score.why.append(f"not published: {raw['site_id']}: {found.fault[1]}")


def failures(sentence: Sentence, known: Witnesses, region: str, said: Heard | None) -> list[str]:
    """Why a sentence that stands alone would not be published."""
    found = ground([sentence], known, region, said)
    return [line for gone in found.dropped for line in gone.why]


def main() -> None:
    """Judge every place of a folder, by code at each level and with the verifier."""
    folder = Path(sys.argv[1])
    places = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    ways: list[tuple[str, Grounding, bool]] = [
        ("code alone, lenient", Grounding(level="lenient"), False),
        ("code alone, witnessed", Grounding(level="witnessed"), False),
        ("with verifier, lenient", Grounding(level="lenient"), True),
        ("with verifier, witnessed", Grounding(level="witnessed"), True),
        ("with verifier, strict", Grounding(level="strict"), True),
    ]
    results = {}
    for name, policy, with_verifier in ways:
        score = Score()
        for raw in places:
            judge_place(raw, policy, score, with_verifier=with_verifier)
        results[name] = score
        print(f"== {name}")
        print(f"true claims refused:    {score.true_claims_refused} of {score.true_claims}")
        print(f"true sentences refused: {score.true_sentences_refused} of {score.true_sentences}")
        print(f"false claims caught:    {score.caught['all']} of {score.planted['all']}")
        for kind in sorted(score.planted - Counter({"all": score.planted["all"]})):
            print(f"  {kind:28} {score.caught[kind]:3} of {score.planted[kind]}")
        print(f"places published:       {score.published} of {len(places)}")
        if "-v" in sys.argv[2:]:
            print("\n".join(f"    {line}" for line in score.why))
    best, code = results["with verifier, witnessed"], results["code alone, lenient"]
    print(
        json.dumps(
            {
                "true_refused": best.true_claims_refused / max(best.true_claims, 1),
                "true_sentences_refused": best.true_sentences_refused / max(best.true_sentences, 1),
                "untrue_caught": best.caught["all"] / max(best.planted["all"], 1),
                "untrue_caught_by_code": code.caught["all"] / max(code.planted["all"], 1),
                "true_refused_by_code": code.true_claims_refused / max(code.true_claims, 1),
                "sites_published": best.published,
                "sites": len(places),
            }
        )
    )


if __name__ == "__main__":
    main()
