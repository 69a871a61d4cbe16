"""Checks `view`, `style`, `instruction`, `place` (coordinates), `language`, `length` and `repetition`."""

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz import fuzz

from pipeline.captioning.grounding.finding import Finding, finding
from pipeline.captioning.language.en.english import English
from pipeline.captioning.likeness import folded
from pipeline.perception.scripts import COMMON, main_script
from pipeline.perception.text import is_instruction
from schemas.records import Variant

_CHECKS = {
    "view": "view",
    "file name": "view",
    "hedge": "style",
    "refusal": "style",
    "instruction": "instruction",
    "coordinates": "place",
}
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")
_WHOLE = 8
"""From so many words on a text has small words in the proportion that its language has."""
_SAME_SENTENCE = 92.0
_LEAST_FOR_TRIGRAMS = 20


def judge_style(sentence: str, masked: str, english: English) -> list[Finding]:
    """What must not be said, whatever the evidence. Quoted words are masked where they may be a sign's."""
    found = []
    for wrong, pattern in english.style.items():
        match = pattern.search(masked)
        if match is not None:
            found.append(finding(_CHECKS[wrong], match.group(), "forbidden"))
    if is_instruction(sentence) and not any(f.check == "instruction" for f in found):
        found.append(finding("instruction", sentence, "forbidden"))
    return found


def judge_language(unquoted: str, plain: str, english: English) -> Finding | None:
    """Whether a sentence is English: Latin letters, and no more small words of other languages than of English.

    English words in another language's grammar pass.

    Args:
        unquoted: the sentence with its quotes masked, for its letters.
        plain: with its names masked too, for its words.
        english: words.
    """
    letters = [
        word for word in _WORD.findall(unquoted) if not word.isascii() and main_script(word) not in ("Latn", COMMON)
    ]
    if 5 * len(letters) > len(_WORD.findall(unquoted)):
        return finding("language", " ".join(letters[:8]), "forbidden")
    words = _words(plain)
    foreign = sum(word in english.raw.foreign for word in words)
    if len(words) >= english.raw.least_sentence_words and foreign > sum(word in english.raw.common for word in words):
        return finding("language", " ".join(words[:8]), "forbidden")
    return None


def judge_small_words(plain: str, english: English) -> Finding | None:
    """Whether a whole text, its quotes and names masked, has as many small words as English has."""
    words = _words(plain)
    small = sum(word in english.raw.common for word in words)
    if len(words) >= _WHOLE and small < english.raw.least_common_share * len(words):
        return finding("language", " ".join(words[:8]), "forbidden")
    return None


def _words(text: str) -> list[str]:
    return [word.casefold().replace("\u2019", "'") for word in _WORD.findall(text)]


def judge_ending(sentence: str, masked: str, english: English) -> Finding | None:
    """Whether a sentence is whole: it ends with a full stop, not in the middle of a phrase, with its quotes closed."""
    stripped = sentence.rstrip(" \"'\u201d\u2019\u00bb\u300d)")
    last = " ".join(_WORD.findall(masked.casefold())[-3:])
    tail = re.sub(r"[^\w\s'\u00a7\u00a4]+$", "", masked.rstrip().casefold())
    if not stripped.endswith((".", "!", "?", "\u2026")) or '"' in masked or "\u201c" in masked:
        return finding("length", f"... {sentence[-40:]}", "unsupported")
    if tail.endswith(("\u00a7", *english.raw.whole_endings)):
        return None
    if any(last == word or last.endswith(f" {word}") for word in english.raw.dangling) and _WORD.findall(tail)[-1:]:
        return finding("length", f"... {sentence[-40:]}", "unsupported")
    return None


def judge_length(variant: Variant, words: int, least_words: int) -> Finding | None:
    """Whether the long description is long enough."""
    if variant == "long" and words < least_words:
        return finding("length", f"{words} words", "unsupported")
    return None


def repeated(sentences: Sequence[str], most_repeated: float) -> dict[int, Finding]:
    """Sentences of one variant that say again what one before them said; and, at the first, that trigrams repeat."""
    plain = [folded(sentence) for sentence in sentences]
    found = {}
    for i, text in enumerate(plain):
        if text and any(fuzz.ratio(text, other) >= _SAME_SENTENCE for other in plain[:i]):
            found[i] = finding("repetition", sentences[i], "forbidden")
    words = " ".join(plain).split()
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    total = sum(trigrams.values())
    share = (total - len(trigrams)) / total if total else 0.0
    if not found and total >= _LEAST_FOR_TRIGRAMS and share > most_repeated:
        worst = " ".join(trigrams.most_common(1)[0][0])
        found[0] = finding("repetition", worst, "forbidden")
    return found
