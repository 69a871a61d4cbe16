"""Proper names in a sentence, and which of them are those of streets and of places."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from pipeline.captioning.language.quotes import MASK, masked_quotations
from pipeline.captioning.language.rules import Rules
from pipeline.captioning.likeness import folded
from pipeline.perception.scripts import COMMON, main_script

_TOKEN = re.compile(r"[^\W_](?:[\w'\u2019.&-]*[\w])?")
GAZETTEER = Path(str(files(__package__) / "places.txt"))
_MOST_WORDS = 4
"""Maximum number of words of a place's name."""


@cache
def gazetteer() -> frozenset[str]:
    """Folded names of cities, states and countries in the world."""
    return _lines(GAZETTEER.read_text(encoding="utf-8"))


def _lines(text: str) -> frozenset[str]:
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


class Names:
    """Names in one language. Pure."""

    def __init__(self, rules: Rules, places: Path) -> None:
        """Reads the language's own names of places, if it has any: `places.txt` in its folder."""
        self._rules = rules
        self._places = _lines(places.read_text(encoding="utf-8")) if places.exists() else frozenset[str]()
        self._common_street: re.Pattern[str] | None = None
        if rules.common_streets:
            starts, ends = "|".join(rules.common_streets), "|".join(rules.street_endings)
            self._common_street = re.compile(rf"(?:\w*(?:{starts}))?(?:{ends})\w{{0,2}}", re.IGNORECASE)
        self._after = re.compile(rf"(?:{rules.names_after})\s*$", re.IGNORECASE) if rules.names_after else None

    def find(self, sentence: str, known: Sequence[str]) -> list[str]:
        """Names outside quotations: those known, as spelled there, and runs of words with capitals.

        At the start of a sentence a capital alone makes no name. Where all nouns have capitals, one alone makes none
        anywhere: there a name is a run of two, or a word that is of another form, that follows a word such as `called`,
        or that is a street's or a place's.
        """
        found, rest = verbatim(masked_quotations(sentence), known)
        if self._rules.nouns_have_capitals:
            found = [name for name in found if name not in self._rules.plain_capitals]
        return [*found, *(name for name in self._runs(rest) if name not in found)]

    def is_street(self, name: str) -> bool:
        """Whether a name has the form of a street's or a district's."""
        words = re.findall(r"[^\W_][\w'\u2019-]*", name)
        endings = any(word.casefold().endswith(end) for word in words for end in self._rules.street_endings)
        if len(words) == 1 and self._is_common_street(words[0]):
            return False
        return (len(words) > 1 and not self._rules.street_words.isdisjoint(words)) or (endings and len(name) > 5)

    def is_place(self, name: str) -> bool:
        """Whether any run of a name's words is a city, a state or a country."""
        words = folded(name).split()
        ends = ((a, b) for a in range(len(words)) for b in range(a + 1, min(len(words), a + _MOST_WORDS) + 1))
        return any(form in self._places or form in gazetteer() for a, b in ends for form in self._forms(words[a:b]))

    def _forms(self, words: Sequence[str]) -> Iterator[str]:
        """A place's name as it is said, and without the ending that a case or an adjective has."""
        whole = " ".join(words)
        yield whole
        yield from (whole.removesuffix(end) for end in self._rules.place_endings if whole.endswith(end))

    def _is_common_street(self, word: str) -> bool:
        return self._common_street is not None and self._common_street.fullmatch(word) is not None

    def _runs(self, sentence: str) -> list[str]:
        """Runs of words with capitals, or in another script, that do not open the sentence."""
        runs: list[list[str]] = []
        named: list[bool] = []  # whether the first word of each run would be a name by itself
        held: list[str] = []  # connectors, which are of a name only if it goes on after them
        end = -1
        for token in _TOKEN.finditer(sentence):
            word = token.group()
            adjoins = bool(runs) and sentence[end : token.start()] in (" ", " & ", "-")
            if adjoins and (named[-1] or len(runs[-1]) > 1) and word.casefold() in self._rules.connectors:
                held.append(word)
            elif adjoins and (self._is_capital(word) or word.isdigit()):
                runs[-1] += [*held, word]
                held = []
            elif self._is_capital(word) and (not _opens(sentence, token) or self._gives_away(word)):
                runs.append([word])
                named.append(self._is_name(word, sentence[: token.start()]))
                held = []
            else:
                continue
            end = token.end()
        return [" ".join(run) for run, alone in zip(runs, named, strict=True) if alone or len(run) > 1]

    def _is_name(self, word: str, before: str) -> bool:
        """Whether a word with a capital is a name by itself."""
        if not self._rules.nouns_have_capitals:
            return True
        if _is_foreign(word) or sum(c.isupper() for c in word) > 1:
            return True
        return self._gives_away(word) or (self._after is not None and self._after.search(before) is not None)

    def _gives_away(self, word: str) -> bool:
        """Where all nouns have capitals, whether one of them is a street's or a place's name."""
        return self._rules.nouns_have_capitals and (self.is_place(word) or self.is_street(word))

    def _is_capital(self, word: str) -> bool:
        if _is_foreign(word):
            return True
        plain = word.rstrip(".")
        if not word[0].isupper() or plain in self._rules.plain_capitals:
            return False
        return re.split("['\u2019]", plain)[0] not in self._rules.plain_capitals


def _opens(sentence: str, token: re.Match[str]) -> bool:
    """Whether a word is the first of a sentence."""
    return not sentence[: token.start()].strip(" \"'(" + MASK)


def _is_foreign(word: str) -> bool:
    return not word.isascii() and word[0].isalpha() and main_script(word) not in ("Latn", COMMON)


def verbatim(text: str, known: Sequence[str]) -> tuple[list[str], str]:
    """Known names as they stand in a text, the longest first, and the text without them."""
    found = []
    for name in sorted(set(known), key=lambda n: (-len(n), n)):
        if name not in text or (len(name) < 3 and name.isascii()):
            continue
        edge = r"(?!\w)" if name[-1:].isascii() else ""
        start = r"(?<!\w)" if name[:1].isascii() else ""
        text, times = re.subn(start + re.escape(name) + edge, lambda m: MASK * len(m.group()), text)
        found += [name] * bool(times)
    return found, text
