"""Counts what descriptions rest on, and writes a page to read them beside their photos.

    python -m tools.dev.bench.composed DATASET [PAGE.html [TEXTS]]

Prints, for each kind of description: sentences that rest on the map alone, sentences and cues told that show from
above, and looks told a text: those of a cited cue whose word stands in the sentence. PAGE gets TEXTS samples (40 if
left out), drawn by the SHA-256 of their ids, each with its street views and all of its texts: what is false only a
reader can say.
"""

import base64
import hashlib
import html
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.dataset import Dataset, open_dataset

_SENTENCE = [f"sentences.list.element.{name}" for name in ("variant", "text", "cue_ids", "shows")]
_CUE = [f"cues.list.element.{name}" for name in ("cue_id", "kind", "from_above", "attribute", "looks")]
LIGHT = ("white", "beige")
VARIANTS = {"long": "description", "short": "description_short", "street": "description_street"}


def counts(rows: Iterable[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Count sentences, cues and looks, by kind of description.

    Args:
        rows: with the sentences and cues of a sample each.
    """
    found: dict[str, Counter[str]] = {variant: Counter() for variant in VARIANTS}
    for row in rows:
        cues = {cue["cue_id"]: cue for cue in row["cues"]}
        for variant, count in found.items():
            sentences = [sentence for sentence in row["sentences"] if sentence["variant"] == variant]
            told = {i for sentence in sentences for i in sentence["cue_ids"] if i in cues}
            count["texts"] += bool(sentences)
            count["sentences"] += len(sentences)
            count["of the map alone"] += sum(
                all(cues[i]["kind"] == "map" for i in sentence["cue_ids"] if i in cues) for sentence in sentences
            )
            count["from above"] += sum(sentence["shows"] == "from_above" for sentence in sentences)
            count["cues"] += len(told)
            count["cues from above"] += sum(cues[i]["from_above"] == "aerial" for i in told)
            count["looks"] += len({look for sentence in sentences for look in _looks(sentence, cues)})
    return found


def _looks(sentence: dict[str, Any], cues: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Cue, kind and word of each look that an English sentence tells."""
    for cue in (cues[i] for i in sentence["cue_ids"] if i in cues):
        words = [("colour", cue["attribute"] or "")] + [(look["kind"], look["value"]) for look in cue["looks"] or ()]
        # A light colour that is less sure is told as pale.
        words += [(kind, "pale") for kind, word in words if word in LIGHT and word not in sentence["text"]]
        yield from ((cue["cue_id"], kind, word) for kind, word in words if word and word in sentence["text"])


def lines(found: dict[str, Counter[str]]) -> list[str]:
    """The figures as text, a line a kind of description."""
    return [
        f"{name}: {count['texts']} texts, {count['sentences']} sentences, of the map alone"
        f" {_share(count['of the map alone'], count['sentences'])}, showing from above"
        f" {_share(count['from above'], count['sentences'])}; cues told that show from above"
        f" {_share(count['cues from above'], count['cues'])}; looks a text"
        f" {count['looks'] / max(1, count['texts']):.2f}"
        for name, count in ((VARIANTS[variant], count) for variant, count in found.items())
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def page(dataset: Dataset, most: int) -> str:
    """HTML with pictures and texts side by side."""
    ids = [row["sample_id"] for row in dataset.rows(["sample_id"])]
    ids.sort(key=lambda sample_id: hashlib.sha256(sample_id.encode()).hexdigest())
    parts = ["<meta charset=utf-8><style>img{height:260px}section{border-top:1px solid}</style>"]
    for sample in dataset.samples(ids[:most]):
        pictures = [sample.street, *(view.image for view in sample.other_views if view.projection == "perspective")]
        shown = "".join(f'<img src="data:;base64,{base64.b64encode(p.bytes).decode()}">' for p in pictures)
        texts = (getattr(sample, column) for column in VARIANTS.values())
        told = "".join(f"<p>{html.escape(text)}</p>" for text in texts if text)
        parts.append(f"<section><h4>{html.escape(sample.sample_id)}</h4>{shown}{told}</section>")
    return "\n".join(parts)


def main(where: str, out: Path | None, most: int) -> None:
    dataset = open_dataset(where)
    print("\n".join(lines(counts(dataset.rows([*_SENTENCE, *_CUE])))))
    if out is not None:
        out.write_text(page(dataset, most), encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [where]:
            main(where, None, 0)
        case [where, out]:
            main(where, Path(out), 40)
        case [where, out, number] if number.isdigit():
            main(where, Path(out), int(number))
        case _:
            sys.exit("usage: python -m tools.dev.bench.composed DATASET [PAGE.html [TEXTS]]")
