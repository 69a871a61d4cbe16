"""PLANET (CORE, arXiv 2603.08491): the text must also tell what the aerial chip looks like, without a name for it.

Three learned queries attend to the text's tokens and give t_color, t_struc and t_tex, each held against a signature of
the chip that needs no learning: histograms of colours, directions of edges, radial spectrum. L_phy is the sum of the
three contrastive losses, the whole L_itc + lambda L_phy. Of the paper one figure was seen: how queries attend and how
signatures are scaled is ours.
"""

from collections.abc import Mapping
from typing import Any

from tools.retrieval.data.batches import SIGNATURES
from tools.retrieval.losses import Gather, Tensor, info_nce
from tools.retrieval.models.anchored import Anchored
from tools.retrieval.torch_parts import torch


class PhysicalText(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, and untyped here
    """Maps the features of a text's tokens to one vector per signature, of the signature's length."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.queries = torch.nn.Parameter(torch.randn(len(SIGNATURES), width) * width**-0.5)
        self.attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.heads = torch.nn.ModuleDict({name: torch.nn.Linear(width, length) for name, length in SIGNATURES.items()})

    def forward(self, tokens: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Compute unit vectors.

        Args:
            tokens: n x context x width.
            ids: n x context; what comes after the end mark, the largest id, is padding.
        """
        end = ids.argmax(dim=1, keepdim=True)
        padding = torch.arange(ids.shape[1], device=ids.device) > end
        queries = self.queries.expand(len(tokens), -1, -1)
        found, _ = self.attention(queries, tokens, tokens, key_padding_mask=padding, need_weights=False)
        return {
            name: torch.nn.functional.normalize(head(found[:, at]).float(), dim=-1)
            for at, (name, head) in enumerate(self.heads.items())
        }


class Planet(Anchored):
    """CrossText2Loc with the physical loss."""

    def __init__(self, clip: Any, *, physical: float, most_scale: float | None) -> None:
        """`physical` is lambda."""
        super().__init__(clip, ("aerial",), image_terms=False, most_scale=most_scale)
        block = clip.transformer.resblocks[0]
        self.physical_text = PhysicalText(clip.transformer.width, block.attn.num_heads)
        self._physical = physical

    def losses(self, batch: Mapping[str, Tensor], negative: Tensor, gather: Gather) -> dict[str, Tensor]:
        """The terms `text_aerial`, `colour`, `orientation`, `spectrum`, and `loss`; see `Anchored.losses`."""
        read = self.clip.forward_intermediates(
            text=batch["text"], text_indices=1, normalize_intermediates=True, normalize=True
        )
        terms = self._contrastive(read["text_features"], batch, negative, gather)
        told = self.physical_text(read["text_intermediates"][-1], batch["text"])
        rows = gather(batch["has_signatures"])
        physical = {}
        for name in SIGNATURES:
            looks = centred(gather(batch[name])[rows])
            physical[name] = info_nce(gather(told[name])[rows], looks, self.scale(), negative[rows][:, rows])
        return terms | physical | {"loss": terms["loss"] + self._physical * sum(physical.values())}


def centred(signatures: Tensor) -> Tensor:
    """Subtract the mean of a batch of signatures and normalise: histograms differ little from their mean."""
    return torch.nn.functional.normalize(signatures - signatures.mean(dim=0), dim=-1)
