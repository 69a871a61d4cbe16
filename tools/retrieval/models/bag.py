"""A text tower without attention, for small data: the mean of the words' vectors, whatever their order."""

from typing import Any

from tools.retrieval.losses import Tensor
from tools.retrieval.torch_parts import open_clip, torch


class BagOfWords(open_clip.CLIP):  # type: ignore[misc]  # open_clip is an extra, and untyped here
    """CLIP whose text tower has no blocks; there is no table of positions to learn."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        del self.transformer.resblocks[:]  # open_clip makes one at the least
        self.positional_embedding.requires_grad_(False)

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Encode token ids (texts x context: start mark, tokens, end mark, zeros) as vectors."""
        end = text.argmax(dim=1, keepdim=True)  # the end mark has the largest id
        place = torch.arange(text.shape[1], device=text.device)
        counts = ((place > 0) & (place <= end)).to(self.token_embedding.weight.dtype)
        mean = (self.token_embedding(text) * counts[..., None]).sum(dim=1) / counts.sum(dim=1, keepdim=True)
        found = self.ln_final(mean) @ self.text_projection
        return torch.nn.functional.normalize(found, dim=-1) if normalize else found
