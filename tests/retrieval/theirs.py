"""CVG-Text's evaluation by its definition (shared/notes/seeds.md), in plain loops: what ours is held against.

Their repository states no licence, so that nothing of it is here. The interface is theirs, so that models and loaders
that satisfy it satisfy the original: a model with `encode_image` and `encode_text`, and batches that are dictionaries.
"""

import math
import posixpath
import re
from collections.abc import Iterable
from typing import Any

import numpy as np


def haversine(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    a = math.sin(math.radians(lat_b - lat_a) / 2) ** 2
    a += math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b)) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    return 6371 * 2 * math.atan2(math.sqrt(a), math.sqrt(1 - a))


def place(path: str) -> tuple[float, float]:
    found = re.match(r"([-+]?[0-9]*\.?[0-9]+),([-+]?[0-9]*\.?[0-9]+)", posixpath.basename(path))
    assert found is not None
    return float(found[1]), float(found[2])


def score(similarity: np.ndarray, paths: list[str], candidates: int = 100) -> dict[str, dict[str, float]]:
    """Figures of the three blocks. `similarity[i, j]` is of chip i and text j; text j belongs to chip j."""
    blocks: dict[str, list[tuple[list[str], str, float]]] = {"overall": [], "panorama": [], "single view": []}
    for j, path in enumerate(paths):
        lat, lon = place(path)
        far = [(haversine(lat, lon, *place(other)), i) for i, other in enumerate(paths)]
        near = [i for _, i in sorted(far, key=lambda pair: pair[0])[:candidates]]
        order = np.argsort(-similarity[near, j])
        names = list(dict.fromkeys(posixpath.basename(paths[near[at]]) for at in order))
        own = posixpath.basename(path)
        gap = 0.0 if names[0] == own else haversine(lat, lon, *place(paths[near[order[0]]]))
        for block in ("overall", "panorama" if len(path.split("_")) >= 3 else "single view"):
            blocks[block].append((names, own, gap))
    return {block: _figures(rows) for block, rows in blocks.items() if rows}


def _figures(rows: list[tuple[list[str], str, float]]) -> dict[str, float]:
    found = {f"R@{k}": float(np.mean([own in names[:k] for names, own, _ in rows])) for k in (1, 5, 10)}
    found |= {f"L@{m}": float(np.mean([gap <= m / 1000 for _, _, gap in rows])) for m in (50, 100, 150)}
    return found | {"deviation": float(np.mean([gap for _, _, gap in rows])), "count": len(rows)}


def evaluate_clip(model: Any, batches: Iterable[dict[str, Any]], device: str) -> dict[str, dict[str, float]]:
    """Their `evaluate_clip`: encode all batches, scale to length 1, score."""
    import torch

    model.to(device)
    model.eval()
    images, texts, paths = [], [], []
    for batch in batches:
        with torch.no_grad():
            images.append(model.encode_image(batch["image"].to(device)).cpu())
            texts.append(model.encode_text(batch["text"].to(device)).cpu())
        paths += list(batch["image_path"])
    image, text = torch.cat(images), torch.cat(texts)
    similarity = (image / image.norm(dim=-1, keepdim=True)) @ (text / text.norm(dim=-1, keepdim=True)).T
    return score(similarity.numpy(), paths)
