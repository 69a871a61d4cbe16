"""Non-maximum suppression without torchvision's own operators."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pipeline.perception.devices import load_library, load_torch
from pipeline.perception.torchvision_cpu import install, suppressed

pytestmark = pytest.mark.models

pytest.importorskip("torch", reason="the extra perception is not installed: make test-models")
torch = load_torch()

corners = arrays(np.float64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 20).map(float))


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / union) if union else 0.0


@given(corners, st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 9))
def test_what_stays_is_apart_and_what_goes_overlaps_something_better(
    boxes: NDArray[np.float64], threshold: float, seed: int
) -> None:
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(float)
    kept = suppressed(boxes, scores, threshold).tolist()
    assert scores[kept].tolist() == sorted(scores[kept], reverse=True)
    for i, box in enumerate(boxes):
        better = [k for k in kept if scores[k] > scores[i] and iou(boxes[k], box) > threshold]
        assert (i in kept) == (not better)


def test_torchvision_s_functions_work_with_it() -> None:
    install()
    assert install() == install()
    ops = load_library("torchvision").ops
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.8, 0.9, 0.1])
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert ops.batched_nms(boxes, scores, torch.tensor([0, 1, 0]), 0.5).tolist() == [1, 0, 2]
