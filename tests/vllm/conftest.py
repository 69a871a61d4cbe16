"""A real vLLM server in front of the dialogue. `make test-vllm` installs it; see the Makefile."""

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.captioning.base import Evidence
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.storage import open_store
from schemas.records import CueRow, ImageryRow
from tools.corpus_index import index_from_manifest
from tools.serving import running

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("GEOSCRIBE_VLLM", "")) / "bin" / "python"
MODEL = "tiny"
CPU = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
"""What vLLM's CPU build wants on a small machine."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Vllm:
    """A real server: where it is, and how to start it."""

    def __init__(self, weights: Path, dtype: str, log: Path, **serve: Any) -> None:
        self.url = f"http://127.0.0.1:{free_port()}/v1"
        self.log = log
        self._settings = dialogue([self.url], serve={"weights": str(weights), "dtype": dtype, **SERVE, **serve})

    def running(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """The server, from when it is ready until the end of the block; as `geoscribe serve` starts it."""
        return running(self._settings, self.url, python=PYTHON, log=self.log, extra_env=CPU)

    def answered(self) -> int:
        """Chat requests that it has finished so far, by its own count."""
        with urllib.request.urlopen(self.url.removesuffix("v1") + "metrics", timeout=10) as answer:
            text = answer.read().decode()
        counts = re.findall(r"^vllm:request_success_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
        return round(sum(map(float, counts)))


SERVE: dict[str, Any] = {
    "max_num_seqs": 8,
    "max_queued": 16,
    "gpu_memory": 0.3,
    # A prompt worked off in pieces, with a seed, ends vLLM 0.32 on CPU: its generator has no offset to set back.
    "extra": ["--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "16384"],
}
"""Of the servers here; 24 requests are what they take at once."""


def dialogue(urls: list[str], **more: Any) -> Dialogue:
    """The captioner that asks them. Pictures are small: there are two cores, and noise is no better for being long."""
    raw = {
        "engine": "dialogue",
        "model": MODEL,
        "endpoints": urls,
        "at_once": 16,
        "view_pixels": 112 * 112,
        "chip_pixels": 84 * 84,
        "max_views": 2,
        "reply_tokens": 1_536,
        "reply_timeout_s": 240,
    }
    return Dialogue.model_validate(raw | more)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny checkpoints."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is not there: run these tests by `make test-vllm`, which installs it")
    out = tmp_path_factory.mktemp("tiny")
    command = [PYTHON, Path(__file__).with_name("tiny_model.py"), out, ROOT / "prompts"]
    done = subprocess.run(command, env=os.environ | CPU, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def vllm(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """A running server of the tiny Qwen2.5-VL."""
    server = Vllm(checkpoints / "qwen2_5_vl", "float32", tmp_path_factory.mktemp("vllm") / "log")
    with server.running():
        yield server


@pytest.fixture(scope="session")
def corpus_build(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Twelve sites in Seoul and twelve in Boulder, with their imagery and cues."""
    folder = tmp_path_factory.mktemp("corpus-build")
    sources: dict[str, Any] = {"street": {}, "map": {}}
    regions = []
    for name, group in (("seoul", "seoul_jongno"), ("boulder", "boulder_co")):
        raw = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
        rows = index_from_manifest(corpus / "MANIFEST.jsonl", group)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        (around,) = raw["sources"]["map"].values()
        around["files"] = [str(corpus / "osm" / Path(file).name) for file in around["files"]]
        sources["street"][name] = {"type": "folder", "index": f"{name}.jsonl", "root": str(corpus)}
        sources["map"][name] = around
        regions.append(raw["regions"][0] | {"street": name, "map": name})
    raw = {
        "name": "corpus",
        "workspace": "workspace",
        "dataset": "dataset",
        "regions": regions,
        "sources": sources,
        "sampling": {"spacing_m": 8, "max_sites": 12},
        "imagery": {"search_radius_m": 8, "max_views": 2, "long_side_px": 640},
        "limits": {"workers": 2},
    }
    build = parse_build(raw, base=folder)
    run_build(build, stages=("imagery", "cues"))
    return build


@pytest.fixture(scope="session")
def evidence(corpus_build: Build) -> list[Evidence]:
    """What is known of those sites."""
    store = open_store(corpus_build.workspace)
    files = sorted(list_layers(store, "imagery", "cues"))
    sites = {row.site_id: row for f in files if f.layer == "imagery" for row in read_rows(store, f, ImageryRow)}
    cues = [row for f in files if f.layer == "cues" for row in read_rows(store, f, CueRow)]
    return [Evidence(sites[row.site_id], row.cues) for row in cues if row.status == "ok"]


Talk = Callable[..., DialogueCaptioner]


@pytest.fixture
def talk(corpus_build: Build, tmp_path: Path) -> Talk:
    """Makes a captioner for servers, with a workspace of the test's own."""

    def make(*servers: Vllm, workspace: str = "w", **more: Any) -> DialogueCaptioner:
        settings = dialogue([server.url for server in servers], **more)
        build = corpus_build.model_copy(update={"captioner": settings, "workspace": str(tmp_path / workspace)})
        return DialogueCaptioner(settings, build)

    return make
