"""Changes texts at random while training. Draws are from torch's own generator, whose state is part of a checkpoint."""

from tools.retrieval.losses import Tensor
from tools.retrieval.torch_parts import torch


def either(text: Tensor, also: Tensor) -> Tensor:
    """One of the two texts of each row, by lot; the first where the second has no token between its marks.

    Args:
        text: token ids, texts x context: start mark, tokens, end mark (the largest id), zeros.
        also: likewise.
    """
    drawn = (torch.rand(len(text), 1) < 0.5) & (also.argmax(dim=1, keepdim=True) > 1)
    return torch.where(drawn, also, text)


def drop_tokens(text: Tensor, share: float) -> Tensor:
    """Remove a random share of each text's tokens, but no mark; those that stay keep their order and move up."""
    if not share:
        return text
    place, end = torch.arange(text.shape[1]), text.argmax(dim=1, keepdim=True)
    stays = (place <= end) & ((torch.rand(text.shape) >= share) | (place == 0) | (place == end))
    order = stays.int().argsort(dim=1, descending=True, stable=True)
    return text.gather(1, order) * (place < stays.sum(dim=1, keepdim=True))
