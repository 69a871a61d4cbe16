"""Statements for a verifier's controls: a true one made untrue in one word, and things that are seldom there."""

import random
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.captioning.language.quotes import QUOTES, masked_quotations
from pipeline.captioning.language.rules import Swap
from schemas.records import ClaimKind


class Swaps:
    """The words of one language that are swapped. Pure."""

    def __init__(self, swaps: Iterable[Swap], sides: Iterable[re.Pattern[str]]) -> None:
        """Compiles the swaps; `sides` are the patterns of directions from the standpoint."""
        self._swaps = [(swap.kind, re.compile(swap.where, re.IGNORECASE), *_compiled(swap)) for swap in swaps]
        self._sides = list(sides)

    def spoilt(self, statement: str, draw: random.Random) -> Iterator[tuple[ClaimKind, str]]:
        """The statement made untrue, once for each kind of word in it that can be swapped."""
        masked = masked_quotations(statement)
        plain = masked.casefold()  # a word that the statement has already may well be true in another place of it
        sides = [m.span() for pattern in self._sides for m in pattern.finditer(masked)]
        for kind, where, pattern, others in self._swaps:
            if not where.search(masked):
                continue
            free = {
                m: [word for word in others[m["word"].casefold()] if word.casefold() not in plain]
                for m in pattern.finditer(masked)
                if _swappable(kind, m.span("word"), sides)
            }
            matches = [m for m, words in free.items() if words]
            if matches:
                match = draw.choice(matches)
                word, said = draw.choice(free[match]), match["word"]
                cased = word[:1].upper() + word[1:] if said[:1].isupper() and not word[:1].isupper() else word
                yield kind, statement[: match.start("word")] + cased + statement[match.end("word") :]
        quoted = QUOTES.search(statement)
        if quoted is not None:
            at, end = (quoted.start() + 1, quoted.end() - 1)
            yield "sign", statement[:at] + misread(statement[at:end], draw) + statement[end:]


def _compiled(swap: Swap) -> tuple[re.Pattern[str], Mapping[str, list[str]]]:
    others = {w.casefold(): _apart(group, i, swap) for group in swap.words for i, w in enumerate(group)}
    words = "|".join(re.escape(word) for word in sorted(others, key=len, reverse=True))
    endings = "|".join(map(re.escape, swap.endings))
    unless = f"(?!{swap.unless})" if swap.unless else ""
    after = f"(?:{swap.after})" if swap.after else ""
    return re.compile(rf"(?<![\w-]){after}{unless}(?P<word>{words})(?:{endings})(?![\w-])", re.IGNORECASE), others


def _swappable(kind: ClaimKind, word: tuple[int, int], sides: Sequence[tuple[int, int]]) -> bool:
    """A side is swapped where it is one from the standpoint, a relation where it is none."""
    if kind not in ("side", "relation"):
        return True
    return any(start < word[1] and word[0] < end for start, end in sides) == (kind == "side")


def _apart(group: Sequence[str], index: int, swap: Swap) -> list[str]:
    """The words of a group that differ from one of them plainly, and not absurdly."""
    least = (len(group) >= 4) if swap.apart is None else swap.apart
    most = len(group) if swap.within is None else swap.within
    return [word for i, word in enumerate(group) if least < abs(i - index) <= most]


def misread(text: str, draw: random.Random) -> str:
    """A sign's words as somebody would have them who did not read them: a digit or some letters are others.

    In scripts other than A to Z, two letters that stand side by side change places.
    """
    digits = [i for i, c in enumerate(text) if c.isdigit() and c.isascii()]
    if digits:
        at = draw.choice(digits)
        return text[:at] + str((int(text[at]) + draw.randint(2, 8)) % 10) + text[at + 1 :]
    letters = [i for i, c in enumerate(text) if c.isascii() and c.isalpha()]
    if letters:
        found = list(text)
        for at in draw.sample(letters, 1 + len(letters) // 5):
            other = draw.choice([c for c in string.ascii_lowercase if c != text[at].lower()])
            found[at] = other.upper() if text[at].isupper() else other
        return "".join(found)
    pairs = [i for i in range(len(text) - 1) if text[i] != text[i + 1] and text[i : i + 2].isalpha()]
    if not pairs:
        return text + text
    at = draw.choice(pairs)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
