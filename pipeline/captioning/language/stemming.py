"""The stems by which inflected words and compounds are compared."""

import re
from functools import cached_property

from pipeline.captioning.language.rules import Stems

_LEAST = 3
"""Letters that are left of a word whose ending or head is taken off."""


class Stemmer:
    """Stems of one language's words. Pure."""

    def __init__(self, stems: Stems) -> None:
        self._stems = stems
        self._fold = str.maketrans(stems.fold)
        self._endings = sorted(stems.endings, key=len, reverse=True)
        self._same = {word: group[0] for group in stems.same for word in group}
        self._materials = {self._bare(self._folded(word)): word for word in stems.materials}

    def stems(self, word: str) -> list[str]:
        """The stems of a word in lower case.

        Of a compound its own and its head's; where the rest is what the head is of, the stems of both instead.
        """
        folded = self._folded(self._same.get(word, word))
        if self._compound is None or (match := self._compound.match(folded)) is None:
            return [self._bare(folded)]
        head, rest = self._bare(match["head"]), self._bare(match["rest"])
        return [rest, head] if rest in self._materials else [self._bare(folded), head]

    @cached_property
    def _compound(self) -> re.Pattern[str] | None:
        if not self._stems.heads:
            return None
        heads = "|".join(sorted(map(self._folded, self._stems.heads), key=len, reverse=True))
        endings = "|".join(map(re.escape, self._endings))
        # The shortest rest: of two heads that end a word, the longer one.
        return re.compile(rf"(?P<rest>\w{{{_LEAST},}}?)(?P<head>(?:{heads})(?:{endings})?)$")

    def _folded(self, word: str) -> str:
        return word.casefold().translate(self._fold)

    def _bare(self, word: str) -> str:
        ending = next((e for e in self._endings if word.endswith(e) and len(word) - len(e) >= _LEAST), "")
        return word.removesuffix(ending)[: self._stems.letters]
