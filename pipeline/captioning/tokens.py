"""Text lengths as CLIP counts them."""

from functools import cache

from instant_clip_tokenizer import Tokenizer


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer()


def count_clip_tokens(text: str) -> int:
    """CLIP tokens of a text, its start and end marks included."""
    return len(_tokenizer().encode(text)) + 2
