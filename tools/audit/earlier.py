"""What stands of an earlier decisions file, by which the dataset that is judged now was published.

A build writes what it writes, and publishing changes that by one file. So an edit of an edited text has to start from
the text before both, and what was edited or rejected once has to stay in the file.
"""

from pipeline.publishing.decisions import Decisions, Edited, Rejected, text_sha256
from schemas.records import Sample, Variant
from tools.audit.judged import Judged
from tools.audit.records import COLUMNS


def entries_of(earlier: Decisions | None) -> dict[str, Edited | Rejected]:
    """The entries of a file by sample id."""
    if earlier is None:
        return {}
    entries: list[Edited | Rejected] = [*earlier.edited, *earlier.rejected]
    return {entry.sample_id: entry for entry in entries}


def still_stands(standing: Edited | Rejected, one: Judged | None, sample: Sample | None) -> bool:
    """Whether an entry goes into the next file as it is.

    It does while the decision that it is of is in force, and where a text that it made is what was judged since.

    Args:
        standing: the entry.
        one: the decision in force; None while a disagreement is open.
        sample: as it is published now; None if it is not.
    """
    if one is not None and not one.fresh:
        return one.verdict == ("edit" if isinstance(standing, Edited) else "reject")
    if sample is None or isinstance(standing, Rejected):
        return False
    # Of several edits some may be stale: publishing passes over those.
    return any(edit.text == getattr(sample, COLUMNS[edit.variant]) for edit in standing.edits)


def based_on(made: Edited | Rejected, standing: Edited | Rejected | None, sample: Sample) -> Edited | Rejected:
    """An entry about the published text, as one about the text that the build wrote."""
    if not isinstance(standing, Edited):
        return made
    published = {edit.variant: edit for edit in standing.edits if edit.text == getattr(sample, COLUMNS[edit.variant])}

    def before(variant: Variant, sha256: str) -> str:
        known = published.get(variant)
        return known.old_sha256 if known is not None and text_sha256(known.text) == sha256 else sha256

    if isinstance(made, Rejected):
        return made.model_copy(update={"texts": {v: before(v, sha256) for v, sha256 in made.texts.items()}})
    edits = [edit.model_copy(update={"old_sha256": before(edit.variant, edit.old_sha256)}) for edit in made.edits]
    edited = {edit.variant for edit in edits}
    return made.model_copy(update={"edits": edits + [e for v, e in published.items() if v not in edited]})
