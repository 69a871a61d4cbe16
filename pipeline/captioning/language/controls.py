"""Statements for a verifier's controls: a true one made untrue in one word, and things that are seldom there."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.captioning.language.quotes import QUOTES, masked_quotations
from pipeline.captioning.language.rules import Swap
from pipeline.captioning.likeness import folded
from schemas.records import ClaimKind


class Swaps:
    """The words of one language that are swapped. Pure."""

    def __init__(self, swaps: Iterable[Swap]) -> None:
        self._swaps = [(swap.kind, *_compiled(swap)) for swap in swaps]

    def spoilt(self, statement: str, draw: random.Random) -> Iterator[tuple[ClaimKind, str]]:
        """The statement made untrue, once for each kind of word in it that can be swapped."""
        for kind, pattern, others in self._swaps:
            matches = list(pattern.finditer(masked_quotations(statement)))
            if matches:
                match = draw.choice(matches)
                said = match["word"]
                word = draw.choice(others[said.casefold()])
                cased = word[:1].upper() + word[1:] if said[:1].isupper() and not word[:1].isupper() else word
                yield kind, statement[: match.start("word")] + cased + statement[match.end("word") :]
        quoted = QUOTES.search(statement)
        if quoted is not None:
            at, end = (quoted.start() + 1, quoted.end() - 1)
            yield "sign", statement[:at] + _other_words(statement[at:end], draw) + statement[end:]


def _compiled(swap: Swap) -> tuple[re.Pattern[str], Mapping[str, list[str]]]:
    others = {w.casefold(): _apart(group, i) for group in swap.words for i, w in enumerate(group)}
    words = "|".join(re.escape(word) for word in sorted(others, key=len, reverse=True))
    endings = "|".join(map(re.escape, swap.endings))
    return re.compile(rf"(?<!\w)(?P<word>{words})(?:{endings})(?!\w)", re.IGNORECASE), others


def _apart(group: Sequence[str], index: int) -> list[str]:
    """The words of a group that differ plainly from one of them: not the one itself, nor, of many, those beside it."""
    near = {index} if len(group) < 4 else {index - 1, index, index + 1}
    return [word for i, word in enumerate(group) if i not in near]


def _other_words(text: str, draw: random.Random) -> str:
    """A sign's words with its digits changed, or, where it has none, its letters in another order."""
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if digits:
        at = draw.choice(digits)
        return text[:at] + str((int(text[at]) + draw.randint(2, 8)) % 10) + text[at + 1 :]
    letters = [c for c in text if c.isalpha()]
    shuffled = letters[:]
    for _ in range(8):
        draw.shuffle(shuffled)
        if folded("".join(shuffled)) != folded("".join(letters)):
            break
    rest = iter(shuffled)
    return "".join(next(rest) if c.isalpha() else c for c in text)
