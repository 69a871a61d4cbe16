"""How the checks do on prose that others wrote: `python -m tools.dev.bench.prose FOLDER`.

FOLDER holds a JSON file a place: a seeing model's sentences, each with its claims and their truth, sentences with one
thing made untrue, paraphrases, the evidence of the place, and what another seeing model answered to the claims when it
was asked blind. What is printed: true claims and sentences that are refused, untruths that are caught, by kind, and the
places that would be published; by code alone, and with the recorded verifier. The last line is JSON.

Files without `sentences` and `evidence` are no places and are named. Keys that the records do not know are left out;
what a place lacks has the record's default, or is null. Statements that the verifier did not answer are counted.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

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

RecordT = TypeVar("RecordT", bound=BaseModel)

_KINDS = frozenset(get_args(ClaimKind))
_VARIANTS = frozenset(get_args(Variant))
_ANSWERS: dict[str, Answer] = {"yes": "yes", "no": "no"}
"""All others are `cannot`."""
_NO_PICTURE = Image(bytes=b"", path="")
_NO_SCORES = {"sharpness": 0.0, "contrast": 0.0, "entropy": 0.0, "darkness": 0.0}


@dataclass
class Tally:
    """Counts of one way to judge."""

    true_claims: int = 0
    true_claims_refused: int = 0
    true_sentences: int = 0
    true_sentences_refused: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    """Claims and planted untruths of which the verifier says nothing."""
    published: int = 0
    why: list[str] = field(default_factory=list)


def place_of(raw: Mapping[str, Any]) -> tuple[Evidence, list[tuple[StreetView, Observation]]]:
    """The evidence of a place, and its views with what was noted on them."""
    evidence = raw["evidence"]
    views = [_record(StreetView, {"quality": _NO_SCORES} | view, image=_NO_PICTURE) for view in evidence["views"]]
    chip = evidence.get("map")
    row = _record(
        ImageryRow,
        evidence["site"],
        site_id=raw["site_id"],
        status="ok",
        unit="u",
        weight=1.0,
        views=views,
        map=_record(Chip, chip, image=_NO_PICTURE) if chip else None,
        facts=[_record(MapFact, fact) for fact in evidence.get("facts", [])],
        charted=evidence.get("charted", []),
        missing=[],
    )
    by_id = {view.view_id: view for view in views}
    seen = []
    for noted in raw.get("observations", []):
        answer = {"indoors": False} | noted["answer"]  # older notes do not say
        kept = {key: answer[key] for key in Observation.model_fields if key in answer}
        for writing in kept.get("writing", []):
            writing.setdefault("side", "middle")  # older notes do not say
        if noted["view_id"] in by_id:
            seen.append((by_id[noted["view_id"]], Observation.model_validate(kept)))
    return Evidence(row, [_record(Cue, cue) for cue in evidence.get("cues", [])]), seen


def _record(kind: type[RecordT], raw: Mapping[str, Any], **values: Any) -> RecordT:
    """A record of what a file has of it: fields that it lacks are null where they may not be left out."""
    known = {name: raw[name] for name in kind.model_fields if name in raw} | values
    lacking = {name: None for name, field in kind.model_fields.items() if field.is_required() and name not in known}
    return kind.model_validate(lacking | known)


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
    variant: Variant = raw["variant"] if raw.get("variant") in _VARIANTS else "long"
    return Sentence(variant=variant, text=raw["text"], cue_ids=cites_of(raw), claims=list(claims))


def cites_of(raw: Mapping[str, Any]) -> list[str]:
    """Ids of the cues that a sentence cites."""
    return list(raw.get("cues") or [])


def judge_place(raw: Mapping[str, Any], policy: Grounding, tally: Tally, *, with_verifier: bool) -> None:
    """Judge one place's sentences, paraphrases and planted untruths, each by itself; then the whole description."""
    evidence, seen = place_of(raw)
    known = witnesses_of(evidence, notes_of(seen, "road"), policy, "en")
    answers = {one["statement"]: _ANSWERS.get(one["answer"], "cannot") for one in raw.get("verifier", [])}
    told = [*raw["sentences"], *raw.get("true_paraphrases", [])]
    truth = {c["claim"]: c["truth"] for s in told for c in s["claims"]}
    planted = raw.get("planted", [])
    tally.unanswered += len(({*truth} | {one["untrue_claim"] for one in planted}) - {*answers})
    region = evidence.site.region

    def said(sentence: Sentence) -> Heard | None:
        if not with_verifier:
            return None
        whole = whole_claim(sentence)
        told = [answers.get(claim.text, "cannot") for claim in sentence.claims]
        # What a sentence says beyond its claims nobody was asked; it is as true as they are.
        together: Answer = "no" if "no" in told else "cannot" if "cannot" in told else "yes"
        return Heard({**answers, whole.text: together}, [], believed=True)

    for one in told:
        sentence = sentence_of(one, claims_of(one["claims"], cites_of(one)))
        failed = failures(sentence, known, region, said(sentence))
        for claim in sentence.claims:
            if truth[claim.text] == "true":
                tally.true_claims += 1
                refused = [line for line in failed if claim.text in line]
                tally.true_claims_refused += bool(refused)
                tally.why += [f"true: {line}" for line in refused]
        if all(truth[claim.text] == "true" for claim in sentence.claims):
            tally.true_sentences += 1
            tally.true_sentences_refused += bool(failed)
            tally.why += [f"true sentence: {sentence.text} | {line}" for line in failed if "nobody" not in line]
    by_id = {one.get("id", f"s{i:02}"): one for i, one in enumerate(raw["sentences"], start=1)}
    for one in planted:
        cites = cites_of(by_id.get(one.get("of"), {}))
        claims = claims_of([{"claim": one["untrue_claim"], "kind": one["kind"]}], cites)
        sentence = Sentence(variant="long", text=one["text"], cue_ids=list(cites), claims=claims)
        kinds = [one["kind"], "subtle" if one.get("subtle") else "coarse", "all"]
        # The planted claim alone decides: what else its sentence says is true.
        caught = any(one["untrue_claim"] in line for line in failures(sentence, known, region, said(sentence)))
        tally.planted.update(kinds)
        tally.caught.update(kinds if caught else [])
        if not caught:
            tally.why.append(f"planted, not caught: {one['kind']}: {one['untrue_claim']}")
    written = [sentence_of(one, claims_of(one["claims"], cites_of(one))) for one in raw["sentences"]]
    wholes: dict[str, Answer] = {}
    for sentence in written:
        heard = said(sentence)
        wholes |= dict(heard.answers) if heard else {}
    found = ground(written, known, region, Heard(wholes, [], believed=True) if with_verifier else None)
    tally.published += found.fault is None
    if found.fault is not None:
        tally.why.append(f"not published: {raw['site_id']}: {found.fault[1]}")


def failures(sentence: Sentence, known: Witnesses, region: str, said: Heard | None) -> list[str]:
    """Why a sentence that stands alone would not be published."""
    found = ground([sentence], known, region, said)
    return [line for gone in found.dropped for line in gone.why]


def places_of(folder: Path) -> list[dict[str, Any]]:
    """The places of a folder; files of another form are named on the error output."""
    found = []
    for file in sorted(folder.glob("*.json")):
        raw = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(raw, dict) and {"sentences", "evidence"} <= raw.keys():
            found.append({"site_id": file.stem} | raw)
        else:
            print(f"{file.name}: no place, left out", file=sys.stderr)
    return found


def main() -> None:
    """Judge every place of a folder, by code at each level and with the verifier."""
    folder = Path(sys.argv[1])
    places = places_of(folder)
    if not places:
        sys.exit(f"{folder}: no places; a place is a JSON file with `sentences` and `evidence`")
    ways: list[tuple[str, Grounding, bool]] = [
        ("code alone, lenient", Grounding(level="lenient"), False),
        ("code alone, witnessed", Grounding(level="witnessed"), False),
        ("with verifier, lenient", Grounding(level="lenient"), True),
        ("with verifier, witnessed", Grounding(level="witnessed"), True),
        ("with verifier, strict", Grounding(level="strict"), True),
    ]
    results = {}
    for name, policy, with_verifier in ways:
        tally = Tally()
        for raw in places:
            judge_place(raw, policy, tally, with_verifier=with_verifier)
        results[name] = tally
        print(f"== {name}")
        print(f"true claims refused:    {tally.true_claims_refused} of {tally.true_claims}")
        print(f"true sentences refused: {tally.true_sentences_refused} of {tally.true_sentences}")
        print(f"untruths caught:        {tally.caught['all']} of {tally.planted['all']}")
        for kind in sorted(tally.planted - Counter({"all": tally.planted["all"]})):
            print(f"  {kind:28} {tally.caught[kind]:3} of {tally.planted[kind]}")
        print(f"places published:       {tally.published} of {len(places)}")
        if with_verifier and tally.unanswered:
            print(f"not answered by the verifier: {tally.unanswered} statements")
        if "-v" in sys.argv[2:]:
            print("\n".join(f"    {line}" for line in tally.why))
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
