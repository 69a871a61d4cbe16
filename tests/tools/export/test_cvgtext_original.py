"""CVG-Text's own code, as it is, on an export: `make test-cvgtext` fetches it. Their repository states no licence, so
nothing of it is here."""

import importlib.util
import os
import re
import subprocess
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


WITHOUT_DOWNLOADS = """
import sys, types
from pipeline.perception import torchvision_cpu
torchvision_cpu.install()
try:
    import pkg_resources
except ImportError:
    sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    sys.modules["pkg_resources"].packaging = __import__("packaging.version")
import clip, torch

def load(name, device):
    torch.manual_seed(7)
    return clip.model.CLIP(32, 32, 2, 64, 8, 77, 49408, 64, 1, 2).eval(), clip.clip._transform(32)

clip.load = load
"""
"""What Python runs before their script: a small CLIP of OpenAI's own class in place of 0.9 GB from the network."""


@pytest.mark.timeout(300)
def test_their_script_scores_a_checkpoint_on_an_export(tree: Path, tmp_path: Path) -> None:
    """`zeroshot.py` finds the checkpoint by the export's `config.yaml`, stretches the text table and evaluates."""
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("clip") is None:
        pytest.skip("clip-anytorch is not installed: make test-models")
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_DOWNLOADS)
    checkpoints = tree / "checkpoints" / "CLIP-L_14@336"
    checkpoints.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    file = checkpoints / "long_model_Town_1e-05_64_sat_epoch3_50.0.pth"
    stretched = (
        "import clip, torch; model, _ = clip.load('', 'cpu'); table = model.positional_embedding.data;"
        "model.positional_embedding = torch.nn.Parameter(torch.zeros(300, table.shape[1]));"
        f"torch.save(model.state_dict(), {str(file)!r})"
    )
    python("-c", stretched)
    assert torch.load(file)["positional_embedding"].shape[0] == 300
    script = str(Path(os.environ["GEOSCRIBE_CVGTEXT"]) / "zeroshot.py")
    said = python(script, "--version", "Town", "--model", "CLIP-L/14@336", "--img_type", "sat", "--expand")
    assert "All keys matched successfully" in said
    assert "Test Image Num: 60" in said
    (metrics,) = (tree / "results" / "CLIP-L_14@336").glob("*_metric.csv")
    assert re.findall(r"^Count: (\d+)$", metrics.read_text(), re.MULTILINE) == ["60", "60", "0"]
