"""Compute the relevance of a text's words and a picture's parts for their similarity.

After Chefer, Gur and Wolf (ICCV 2021, "Generic Attention-model Explainability"): the relevance of a tower's tokens for
its output is R = (1 + A_L) ... (1 + A_1), where A_l is the attention of block l, times its gradient of the similarity,
negative parts set to 0, mean over the heads. All blocks count; CVG-Text's own takes the last one alone (`last`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError, Problem
from tools.retrieval.checkpoint import Trained
from tools.retrieval.data.select import View
from tools.retrieval.losses import Tensor
from tools.retrieval.torch_parts import open_clip, torch

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Word:
    """A word of a text, as the tokenizer has it, and the places of its tokens in the row of ids."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Relevance:
    """Relevance for one text and one picture."""

    similarity: float
    """Cosine."""
    words: tuple[Word, ...]
    of_words: Floats
    """One number a word, 0 or more; a word has the sum of its tokens."""
    of_picture: Floats | None
    """Rows x columns of patches; None for a tower without attention to the picture's parts (a ResNet)."""


def words_of(ids: NDArray[np.int64]) -> list[Word]:
    """Group a row of token ids into words; a token that ends in `</w>` ends a word."""
    decoder = _decoder()
    end = int(ids.argmax())  # the end mark has the largest id
    words: list[Word] = []
    text, tokens = "", list[int]()
    for at in range(1, end):
        piece = decoder[int(ids[at])]
        text, tokens = text + piece.removesuffix("</w>"), [*tokens, at]
        if piece.endswith("</w>") or at == end - 1:
            words.append(Word(_readable(text), tuple(tokens)))
            text, tokens = "", []
    return words


def relevance(
    trained: Trained, ids: NDArray[np.int64], view: View, pixels: NDArray[np.uint8], *, last: bool = False
) -> Relevance:
    """Compute the relevance of words and picture parts for the similarity of a text and a picture.

    Args:
        trained: the model.
        ids: token ids of the text, one row.
        view: what the picture is.
        pixels: the picture as the model takes it, 3 x size x size.
        last: the last block of each tower alone.

    Raises:
        ConfigError: the text tower has no blocks, or they are not CLIP's own.
    """
    model, device = trained.model, trained.device
    tower = model.clip.visual if view == model.views[0] else model.towers[view]
    blocks = {"text": model.clip.transformer.resblocks}
    if not len(blocks["text"]):
        raise ConfigError([Problem("CHECKPOINT", "a text tower without blocks", "a model with CLIP's own attention")])
    if hasattr(tower, "transformer"):
        blocks["picture"] = tower.transformer.resblocks
    with _attentions(blocks) as seen:
        text = model.encode_text(torch.from_numpy(ids[None]).to(device))
        picture = model.encode_view(view, torch.from_numpy(pixels[None]).to(device))
        similarity = (text * picture).sum()
        flat = [weights for found in seen.values() for weights in found]
        gradients = iter(torch.autograd.grad(similarity, flat))
    rolled = {}
    for name, found in seen.items():
        own = [next(gradients) for _ in found]
        pairs = list(zip(found, own, strict=True))
        rolled[name] = _rollout(pairs[-1:] if last else pairs)
    words = words_of(ids)
    of_tokens = rolled["text"][int(ids.argmax())]
    of_picture = None
    if "picture" in rolled:
        patches = rolled["picture"][0, 1:]
        of_picture = patches.reshape(tower.grid_size)
    return Relevance(
        similarity=float(similarity.detach()),
        words=tuple(words),
        of_words=np.array([of_tokens[list(word.tokens)].sum() for word in words], dtype=np.float64),
        of_picture=of_picture,
    )


def _rollout(pairs: list[tuple[Tensor, Tensor]]) -> Floats:
    """Compute R (tokens x tokens) without the identity, which carries no information."""
    size = pairs[0][0].shape[-1]
    total = torch.eye(size, device=pairs[0][0].device)
    for weights, gradient in pairs:
        relevant = (weights * gradient).clamp(min=0)[0].mean(dim=0)
        total = total + relevant @ total
    found = (total - torch.eye(size, device=total.device)).detach().double().cpu().numpy()
    return np.asarray(found, np.float64)


@contextmanager
def _attentions(blocks: dict[str, Any]) -> Iterator[dict[str, list[Tensor]]]:
    """Within the context, blocks compute attention explicitly and record its weights (1 x heads x tokens x tokens)."""
    seen: dict[str, list[Tensor]] = {name: [] for name in blocks}
    plain = [(name, block.attn) for name, members in blocks.items() for block in members]
    for _, attention in plain:
        if not isinstance(attention, torch.nn.MultiheadAttention):
            found = f"blocks with {type(attention).__name__}"
            raise ConfigError([Problem("CHECKPOINT", found, "a model with CLIP's own attention")])
    for name, attention in plain:
        attention.forward = _stepwise(attention, seen[name])
    try:
        yield seen
    finally:
        for _, attention in plain:
            del attention.forward  # the class's own shows again


def _stepwise(attention: Any, seen: list[Tensor]) -> Any:
    """Self-attention as in `torch.nn.MultiheadAttention`, with the weights as part of the graph."""

    def forward(query: Tensor, _key: Tensor, _value: Tensor, *, attn_mask: Tensor | None = None, **_: Any) -> Any:
        batch, tokens, width = query.shape
        heads = attention.num_heads
        parts = torch.nn.functional.linear(query, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.reshape(batch, tokens, heads, width // heads).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(-2, -1) / (width // heads) ** 0.5
        weights = (scores if attn_mask is None else scores + attn_mask).softmax(dim=-1)
        seen.append(weights)
        return attention.out_proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width)), None

    return forward


def _decoder() -> dict[int, str]:
    tokenizer = open_clip.tokenizer.SimpleTokenizer()
    decoder: dict[int, str] = tokenizer.decoder
    return decoder


def _readable(text: str) -> str:
    """Decode the printable characters that the tokenizer uses for bytes."""
    back = {character: byte for byte, character in open_clip.tokenizer.bytes_to_unicode().items()}
    return bytes(back[character] for character in text).decode("utf-8", "replace")
