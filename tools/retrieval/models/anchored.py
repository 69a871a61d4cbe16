"""CrossText2Loc and GeoBridge: text against one or several views, each with its own image tower.

CrossText2Loc (CVG-Text, arXiv 2412.17007): CLIP whose table of text positions is stretched to 300, symmetric InfoNCE of
text and chip. GeoBridge (GeoLoc, arXiv 2512.02697): L_text is the mean over the views of text against view, L_img the
mean over pairs of views, the loss is L_text + L_img. A row that lacks a view takes no part in that view's terms.
"""

import copy
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from tools.retrieval.data.select import View
from tools.retrieval.losses import Gather, Tensor, info_nce
from tools.retrieval.torch_parts import open_clip, torch


class Anchored(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, and untyped here
    """A text tower and one image tower per view. `clip` holds the text tower and the first view's tower."""

    def __init__(self, clip: Any, views: tuple[View, ...], *, image_terms: bool, most_scale: float | None) -> None:
        """Towers of further views start as copies of the first one."""
        super().__init__()
        self.views = views
        self.clip = clip
        self.towers = torch.nn.ModuleDict({view: copy.deepcopy(clip.visual) for view in views[1:]})
        self._image_terms = image_terms
        self._most_scale = most_scale
        for name, values in (("mean", open_clip.OPENAI_DATASET_MEAN), ("std", open_clip.OPENAI_DATASET_STD)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Encode token ids as unit vectors."""
        return self.clip.encode_text(ids, normalize=True)

    def encode_view(self, view: View, pixels: Tensor) -> Tensor:
        """Encode pictures (uint8, n x 3 x size x size) as unit vectors."""
        tower = self.clip.visual if view == self.views[0] else self.towers[view]
        features = tower((pixels.to(self.mean.dtype) / 255 - self.mean) / self.std)
        return torch.nn.functional.normalize(features.float(), dim=-1)

    def scale(self) -> Tensor:
        """Factor on the cosines in the loss."""
        scale = self.clip.logit_scale.exp()
        return scale if self._most_scale is None else scale.clamp(max=self._most_scale)

    def losses(self, batch: Mapping[str, Tensor], negative: Tensor, gather: Gather) -> dict[str, Tensor]:
        """Compute the terms of the loss, and their sum as `loss`.

        Args:
            batch: see `tools.retrieval.data.batches`, on the model's device.
            negative: of the rows of all processes, n x n: which pairs are negatives.
            gather: brings the processes' rows together.
        """
        return self._contrastive(self.encode_text(batch["text"]), batch, negative, gather)

    def _contrastive(
        self, text: Tensor, batch: Mapping[str, Tensor], negative: Tensor, gather: Gather
    ) -> dict[str, Tensor]:
        found = {view: gather(self.encode_view(view, batch[view])) for view in self.views}
        has = {view: gather(batch[f"has_{view}"]) for view in self.views}
        text, scale = gather(text), self.scale()

        def term(a: Tensor, b: Tensor, rows: Tensor) -> Tensor:
            return info_nce(a[rows], b[rows], scale, negative[rows][:, rows])

        terms = {f"text_{view}": term(text, found[view], has[view]) for view in self.views}
        loss = sum(terms.values()) / len(terms)
        if self._image_terms:
            pairs = {f"{a}_{b}": term(found[a], found[b], has[a] & has[b]) for a, b in combinations(self.views, 2)}
            loss = loss + sum(pairs.values()) / len(pairs)
            terms |= pairs
        return terms | {"loss": loss}
