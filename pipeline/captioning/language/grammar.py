"""The interface of a language's `grammar.py`."""

from typing import Protocol

from pipeline.captioning.language.nouns import Noun
from pipeline.captioning.language.phrasing import Teller


class Grammar(Protocol):
    """A module `grammar` in a language's folder."""

    Teller: type[Teller]
    """Tells facts in the language."""

    def read_noun(self, entry: str) -> Noun:
        """A noun as it stands in the language's `nouns.yaml`.

        Raises:
            ValueError: it is malformed.
        """
        ...

    def one(self, noun: Noun, look: str | None) -> str:
        """A thing with its article and its look, as it stands in `Rules.thing_is`: `a brick building`."""
        ...
