"""Images a second of OCR engines and segmenters on street photos: one by one, together, by 2 threads, by 2 processes.

    python -m tools.dev.bench.perception CORPUS [VIEWS] [ENGINE ...]

An engine is `rapidocr`, `easyocr` (English weights of its package), `superpixels`, `signatures`, `naming` (an open_clip
ViT-B-32 with random weights that names 32 crops in batches of 1 and of 32), or a YAML file with an engine's section as
it stands under `perception.ocr` or in `perception.segmenters`. Without one: those that need no torch. VIEWS is 8 if
left out.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter

from pipeline.config.names import OCR, SEGMENTERS
from pipeline.config.perception import OcrConfig, OpenClipLabels, SegmenterConfig
from pipeline.perception.base import View
from pipeline.perception.devices import load_library, load_torch
from pipeline.perception.signatures import signatures
from pipeline.perception.vocabulary import vocabulary
from tools.dev.bench.signs import view

WITHOUT_TORCH = ["rapidocr", "superpixels", "signatures"]
KNOWN = {"easyocr": {"engine": "easyocr", "weights": "package"}}


def engine(name: str) -> Callable[[Sequence[View]], object]:
    """The call of an engine on views."""
    if name == "signatures":
        return lambda views: [signatures(v.view_id, v.pixels) for v in views]
    path = Path(name)
    settings = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else KNOWN.get(name, {"engine": name})
    ocr = settings["engine"] in OCR
    kind: Any = OcrConfig if ocr else SegmenterConfig
    made = resolve_name((OCR if ocr else SEGMENTERS)[settings["engine"]])(TypeAdapter(kind).validate_python(settings))
    work: Callable[[Sequence[View]], object] = made.read if ocr else made.segment
    return work


def measured(what: str, count: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    others = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cpu += others if isinstance(others, float) else 0.0  # CPU seconds of other processes
    print(f"    {what:12} {count / wall:8.2f} a second  {wall / count:7.3f} s each  {cpu / count:7.3f} s CPU each")


def bench(name: str, views: Sequence[View]) -> None:
    work = engine(name)
    work(views[:1])
    print(f"{name}, {len(views)} views")
    measured("one by one", len(views), lambda: [work([v]) for v in views])
    measured("together", len(views), lambda: work(views))
    with ThreadPoolExecutor(2) as pool:
        measured("two threads", len(views), lambda: list(pool.map(lambda v: work([v]), views)))
    with ProcessPoolExecutor(2, get_context("spawn"), _begin, (name,)) as processes:
        list(processes.map(_work, [views[:1]] * 4))  # each loads its models
        measured("2 processes", len(views), lambda: sum(processes.map(_work, [[view] for view in views])))


_works: list[Callable[[Sequence[View]], object]] = []


def _begin(name: str) -> None:
    _works.append(engine(name))


def _work(views: Sequence[View]) -> float:
    """Read views; returns CPU seconds."""
    began = time.process_time()
    _works[0](views)
    return time.process_time() - began


def naming(views: Sequence[View]) -> None:
    from pipeline.perception.namer import Namer

    torch = load_torch()
    crops = [np.ascontiguousarray(views[i % len(views)].pixels[:300, i * 10 : i * 10 + 200]) for i in range(32)]
    print("naming, 32 crops, ViT-B-32 with random weights")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pt"
        torch.save(load_library("open_clip").create_model("ViT-B-32").state_dict(), weights)
        for batch in (1, 32):
            namer = Namer(OpenClipLabels(weights=str(weights)), vocabulary(), "cpu", batch)
            namer.names(crops[:1])
            measured(f"batches of {batch}", len(crops), lambda namer=namer: namer.names(crops))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def main(corpus: Path, count: int, names: Sequence[str]) -> None:
    paths = sorted((corpus / "street" / "boulder_co").glob("*.jpg"))
    views = [view(path) for path in paths[:: max(1, len(paths) // count)][:count]]
    for name in names:
        if name == "naming":
            naming(views)
        else:
            bench(name, views)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder, count, *names] if count.isdigit():
            main(Path(folder), int(count), names or WITHOUT_TORCH)
        case [folder, *names]:
            main(Path(folder), 8, names or WITHOUT_TORCH)
        case _:
            sys.exit("usage: python -m tools.dev.bench.perception CORPUS [VIEWS] [ENGINE ...]")
