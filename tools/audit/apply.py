"""From decisions to the file that publishing takes: edited descriptions and rejected samples, of honest tasks only."""

from collections.abc import Sequence
from itertools import chain

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.publishing.decisions import Decisions, Edit, Edited, Rejected, text_sha256
from schemas.records import Claim, Sample, Sentence, Variant
from tools.audit.checks import known_of, resentenced
from tools.audit.database.opening import Desk
from tools.audit.earlier import based_on, entries_of, still_stands
from tools.audit.figures import figures_of
from tools.audit.judged import Judged, judged_of, settled
from tools.audit.library import Library
from tools.audit.records import COLUMNS, Figure, ReasonCode

_OF_PICTURES = frozenset({ReasonCode.PII_VISIBLE, ReasonCode.WRONG_PAIR, ReasonCode.BAD_IMAGE, ReasonCode.UNSAFE})
"""Reasons that no other text mends."""
_FOR_THE_CARD = ("Pass rate", "Agreement", "Human retrieval", "Build's verdicts against people's")


def decisions_file(desk: Desk, library: Library, earlier: Decisions | None = None) -> tuple[Decisions, list[str]]:
    """The file, and what could not go into it, a line each. Spoilt samples and gold never do.

    Args:
        desk: the database.
        library: the dataset, as it was judged or as it was published by an earlier file since.
        earlier: that file. A build publishes by one file, so what stands of it goes into the new one.

    Raises:
        MachineError: a sample cannot be read.
    """
    entries, notes = dict[str, Edited | Rejected](), []
    before = entries_of(earlier)
    judged = settled(judged_of(desk, library))
    published = ((sample.sample_id, sample) for sample in library.without_pictures(judged))
    gone = ((sample_id, None) for sample_id in judged.keys() - library.facts.keys())
    for sample_id, sample in chain[tuple[str, Sample | None]](published, gone):
        one, standing = judged[sample_id].deciding, before.get(sample_id)
        if one is not None and one.fresh and sample is not None and one.verdict != "accept":
            made = _edited(one, sample) if one.verdict == "edit" else _rejected(one, sample)
            entries[sample_id] = based_on(made, standing, sample)
        elif standing is not None and still_stands(standing, one, sample):
            entries[sample_id] = standing
        elif one is not None and not one.fresh and one.verdict != "accept":
            notes.append(f"{sample_id}: left out, the dataset has other texts by now; see --earlier")
        if one is None:
            notes.append(f"{sample_id}: a disagreement waits for a lead")
    left_out = before.keys() - entries.keys()
    notes += [f"{sample_id}: the earlier decision is in force no more" for sample_id in left_out]
    manifest = library.dataset.manifest
    figures = {f"{f.section}: {f.group}, {f.name}": _words(f) for f in figures_of(desk, library) if _for_the_card(f)}
    made_of = [entry for _, entry in sorted(entries.items())]
    return Decisions(
        dataset=manifest.name,
        revision=manifest.digest,
        edited=[entry for entry in made_of if isinstance(entry, Edited)],
        rejected=[entry for entry in made_of if isinstance(entry, Rejected)],
        figures=figures,
    ), sorted(notes)


def _edited(one: Judged, sample: Sample) -> Edited:
    texts: dict[Variant, str] = one.payload["edits"]
    edits = [
        Edit(
            variant=variant,
            old_sha256=text_sha256(getattr(sample, COLUMNS[variant])),
            text=" ".join(sentence.text for sentence in sentences),
            tokens=count_clip_tokens(text),
            sentences=sentences,
        )
        for variant, text in sorted(texts.items())
        for sentences in [_sentences(sample, variant, text)]
    ]
    return Edited(sample_id=sample.sample_id, by=one.alias, edits=edits)


def _sentences(sample: Sample, variant: Variant, text: str) -> list[Sentence]:
    """Sentences as they were keep their claims; of a new one the person who wrote it is the witness."""
    known = known_of(sample)
    if known is None:
        return [_witnessed(Sentence(variant=variant, text=" ".join(text.split()), cue_ids=[]))]
    return [
        sentence if sentence.claims else _witnessed(sentence) for sentence in resentenced(sample, variant, text, known)
    ]


def _witnessed(sentence: Sentence) -> Sentence:
    claim = Claim(text=sentence.text, kind="thing", cites=[], outcome="supported", witnesses=["annotator"])
    return sentence.model_copy(update={"claims": [claim]})


def _rejected(one: Judged, sample: Sample) -> Rejected:
    reasons: Sequence[str] = one.payload["reasons"]
    of_pictures = not _OF_PICTURES.isdisjoint(map(ReasonCode, reasons))
    texts = {variant: text_sha256(getattr(sample, column)) for variant, column in COLUMNS.items()}
    return Rejected(sample_id=sample.sample_id, by=one.alias, reasons=list(reasons), texts={} if of_pictures else texts)


def _for_the_card(figure: Figure) -> bool:
    return figure.section in _FOR_THE_CARD and figure.value is not None and figure.group.startswith(
        ("all", "checks", "verdict", "verifier", "witness")
    )  # fmt: skip


def _words(figure: Figure) -> str:
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{interval}, n {figure.n}"
