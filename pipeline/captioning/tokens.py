"""Text lengths as CLIP counts them, and the words that it knows."""

from functools import cache

from instant_clip_tokenizer import Tokenizer

_COMMON = 40_000
"""Tokens of CLIP are in the order of how often its texts have them; later ones are names and rests of words."""


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer()


def count_clip_tokens(text: str) -> int:
    """CLIP tokens of a text, its start and end marks included."""
    return len(_tokenizer().encode(text)) + 2


@cache
def known_words() -> frozenset[str]:
    """Words, in lower case, that are one token of CLIP: about 29,000 of the web's English, with many names."""
    tokens = (_tokenizer().decode([number]) for number in range(_COMMON))
    return frozenset(token[:-1] for token in tokens if token.endswith(" ") and token[:-1].isalpha())
