"""CVG-Text's own code, as it is, on an export: `make test-cvgtext` fetches it. Their repository states no licence, so
nothing of it is here."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pipeline.perception import torchvision_cpu
from schemas.records import Sample
from tests.tools.export.conftest import Exported

pytestmark = [
    pytest.mark.cvgtext,
    pytest.mark.skipif(
        "GEOSCRIBE_CVGTEXT" not in os.environ, reason="CVG-Text's code is what `make test-cvgtext` fetches and tests"
    ),
]


def original(name: str) -> ModuleType:
    path = Path(os.environ["GEOSCRIBE_CVGTEXT"]) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"cvgtext_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, folder: Path,
    tmp_path: Path,
) -> Path:  # fmt: skip
    """120 test samples in one region, each with a description of its own; every second has a panorama."""
    plain = make_sample(0)
    samples = []
    for i in range(120):
        changes: dict[str, Any] = {"split": "test"}
        if i % 2:
            changes |= {"panorama": plain.street, "panorama_view": plain.street_view}
        samples.append(make_sample(i, **changes))
    exported("cvgtext", publish_samples(tmp_path, samples))
    return folder


@pytest.mark.parametrize("img_type", ["sat", "osm"])
@pytest.mark.parametrize("version", ["Town", "Town-photos", "Town-mixed"])
def test_their_loader_and_evaluator_give_a_perfect_model_a_hundred(tree: Path, version: str, img_type: str) -> None:
    torch = pytest.importorskip("torch")
    torchvision_cpu.install()  # their evaluator imports all of transformers' image models
    # As their `zeroshot.py` takes them from `config.yaml`, which it opens in the current directory.
    paths = yaml.safe_load((tree / "config.yaml").read_text())["paths"]
    root = str(tree / paths[f"{img_type}_root_dir"].format(version=version))
    test = str(tree / paths["testset_path"].format(version=version))
    both = version.endswith("-mixed")
    roots = [root.replace("-mixed", ""), root.replace("-mixed", "-photos")] if both else root
    tests = [test.replace("-mixed", ""), test.replace("-mixed", "-photos")] if both else test

    numbers: dict[str, int] = {}

    def preprocess(image: Any, text: str) -> tuple[Any, Any]:
        assert image.size == (256, 256)
        number = numbers.setdefault(text, len(numbers))
        return torch.tensor([number]), torch.tensor([number])

    class Perfect(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is untyped here
        def encode_image(self, pixels: Any) -> Any:
            return torch.nn.functional.one_hot(pixels[:, 0], 120).float()

        encode_text = encode_image

    data = original("dataset").OSMTextImageDataset(roots, tests, preprocessor=preprocess)
    assert len(data) == (120 if both else 60)
    loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=False)
    out = tree / "metrics.txt"
    recalls = original("evaluate").evaluate_clip(Perfect(), loader, "cpu", None, str(out))
    assert recalls == (100, 100, 100)
    each = {"Town": ["60", "60", "0"], "Town-photos": ["60", "0", "60"], "Town-mixed": ["120", "60", "60"]}
    assert re.findall(r"^Count: (\d+)$", out.read_text(), re.MULTILINE) == each[version]  # all, panoramas, single views
