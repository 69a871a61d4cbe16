"""Finds quotations in a text, with any quotation marks."""

import re
from functools import lru_cache

QUOTES = re.compile(
    '"([^"]+)"|\u201c([^\u201d\u201c]+)[\u201d\u201c]|\u201e([^\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00bb]+)\u00bb|'
    "\u00bb([^\u00ab]+)\u00ab|\u300c([^\u300d]+)\u300d|\u300e([^\u300f]+)\u300f|"
    "(?<![\\w'\u2019])['\u2018\u201a](?=[^\\s'])((?:[^'\u2018\u2019]|(?<=\\w)['\u2019](?=\\w))+)(?<!\\s)['\u2019\u2018](?!\\w)"
)
"""The last are single marks, which are apostrophes within a word and at its end."""
MASK = "\u00a7"


def quotations(text: str) -> list[str]:
    """The quotations in a text."""
    return [next(group for group in m.groups() if group is not None) for m in QUOTES.finditer(text)]


@lru_cache(maxsize=4_096)
def masked_quotations(text: str) -> str:
    """The text with the same length, what it quotes masked."""
    return QUOTES.sub(lambda m: MASK * len(m.group()), text)
