"""The recipes under docs/contributing/: each fits the code as it is, is as short as it says, and does what it says."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import yaml

from pipeline.config import names
from pipeline.engine.build_file import parse_build
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.perception.base import View
from pipeline.registry.registry import Registry
from schemas.records import Sample
from tests.docs.recipes import DOCS, ROOT, Block, added, changes, files, follow
from tests.tools.conftest import make_sample, publish_samples
from tools.dataset import open_dataset
from tools.export.base import export
from tools.export.formats import FORMATS
from tools.export.settings import format_of

__all__ = ["make_sample", "publish_samples"]
RECIPES = DOCS / "contributing"


@pytest.mark.parametrize("page", sorted(RECIPES.glob("*.md")), ids=lambda page: page.stem)
def test_a_recipe_fits_the_code(page: Path, tmp_path: Path) -> None:
    for block in changes(page):
        target = tmp_path / str(block.title)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / str(block.title), target)
    follow(page, tmp_path)
    for path in tmp_path.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")


@pytest.mark.parametrize(
    ("recipe", "new_files", "lines"),
    [
        ("source", 1, {"pipeline/config/names.py": 1}),
        ("engine", 1, {"pipeline/config/names.py": 1}),
        ("column", 0, {"schemas/records/sample.py": 2, "pipeline/publishing/joining.py": 1}),
        ("check", 0, {"tools/verify/rows.py": 6}),
        ("export", 1, {"tools/export/formats.py": 1}),
    ],
)
def test_a_recipe_is_as_short_as_it_says(recipe: str, new_files: int, lines: dict[str, int]) -> None:
    page = RECIPES / f"{recipe}.md"
    assert len([block for block in files(page) if block.language == "python"]) == new_files
    assert {str(block.title): len(added(block)) for block in changes(page)} == lines


def module(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A recipe's new module, imported under the name that it would have in the code."""
    path = folder / Path(str(block.title)).name
    path.write_text(block.text)
    name = str(block.title).removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, made)
    spec.loader.exec_module(made)
    return made


def table_line(page: Path) -> dict[str, str]:
    """The line that a recipe adds to a table of names, as a table of its own."""
    (change,) = changes(page)
    made: dict[str, str] = yaml.safe_load("{" + "".join(added(change)) + "}")
    return made


def test_the_source_gives_its_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = RECIPES / "source.md"
    code, build_file, index = files(page)
    module(code, tmp_path, monkeypatch)
    for name, where in table_line(page).items():
        monkeypatch.setitem(names.STREET, name, where)
    (tmp_path / str(index.title)).write_text(index.text)
    build = parse_build(yaml.safe_load(build_file.text), base=tmp_path)
    source = Registry(build).street("harbour")
    (photo,) = source.candidates(build.regions[0])
    assert source.near(Point(55.6761, 12.5683), 50.0) == [photo]
    assert source.near(Point(55.6761, 12.5683), 5.0) == []
    with pytest.raises(SiteError, match="No such file"):
        source.read(photo)
    (tmp_path / "quay.jpg").write_bytes(b"a photo")
    assert source.read(photo) == b"a photo"
    before = source.fingerprint()
    (tmp_path / str(index.title)).write_text(json.dumps({"features": []}))
    assert Registry(build).street("harbour").fingerprint() != before


def test_the_engine_reads_qr_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = RECIPES / "engine.md"
    module(files(page)[0], tmp_path, monkeypatch)
    for name, where in table_line(page).items():
        monkeypatch.setitem(names.OCR, name, where)
    raw = yaml.safe_load(files(RECIPES / "source.md")[1].text)
    raw["sources"]["street"] = {"town": {"type": "world"}}
    build = parse_build(raw | {"perception": {"ocr": {"engine": "qrcode"}}}, base=tmp_path)
    code = cv2.resize(cv2.QRCodeEncoder.create().encode("Harbour Museum"), (160, 160), interpolation=cv2.INTER_NEAREST)
    pixels = np.full((320, 480, 3), 255, np.uint8)
    pixels[80:240, 160:320] = code[:, :, None]
    empty = np.full((320, 480, 3), 255, np.uint8)
    found, nothing = Registry(build).ocr.read([View("0", pixels, None), View("1", empty, None)])
    assert nothing == []
    assert [box.text for box in found] == ["Harbour Museum"]
    assert np.abs(np.array(found[0].polygon[:2]) - (160, 80)).max() < 16


def test_the_format_writes_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_sample: Callable[..., Sample],
    publish_samples: Callable[..., str],
) -> None:
    page = RECIPES / "export.md"
    module(files(page)[0], tmp_path, monkeypatch)
    for name, where in table_line(page).items():
        monkeypatch.setitem(FORMATS, name, where)
    dataset = open_dataset(publish_samples(tmp_path / "dataset", [make_sample(0), make_sample(1)]))
    target = export(dataset, tmp_path / "out", format_of("jsonl", {"text": "description_short"}))
    lines = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["A bakery on Mill Lane."] * 2
    assert target.taken == 2
    with pytest.raises(ConfigError, match="settings of jsonl: split, text"):
        format_of("jsonl", {"words": "short"})
