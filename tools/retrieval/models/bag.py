"""A text tower without attention, for small data: the words' vectors are joined, whatever their order."""

from typing import Any, Literal

from tools.retrieval.losses import Tensor
from tools.retrieval.torch_parts import open_clip, torch


class BagOfWords(open_clip.CLIP):  # type: ignore[misc]  # open_clip is an extra, and untyped here
    """CLIP whose text tower has no blocks; there is no table of positions to learn."""

    def __init__(self, *args: Any, pooling: Literal["mean", "max"], **settings: Any) -> None:
        """`pooling`: the mean of the words' vectors, or the largest value of each feature (SWEM, Shen et al. 2018)."""
        super().__init__(*args, **settings)
        self._pooling = pooling
        del self.transformer.resblocks[:]  # open_clip makes one at the least
        self.positional_embedding.requires_grad_(False)

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Encode token ids (texts x context: start mark, tokens, end mark, zeros) as vectors."""
        end = text.argmax(dim=1, keepdim=True)  # the end mark has the largest id
        place = torch.arange(text.shape[1], device=text.device)
        words = ((place > 0) & (place <= end))[..., None]
        vectors = self.token_embedding(text)
        if self._pooling == "max":
            pooled = vectors.masked_fill(~words, float("-inf")).amax(dim=1)
        else:
            pooled = (vectors * words).sum(dim=1) / words.sum(dim=1)
        found = self.ln_final(pooled) @ self.text_projection
        return torch.nn.functional.normalize(found, dim=-1) if normalize else found
