"""Captioning beside vLLM's own benchmark: `python -m tools.dev.bench.captioning ENDPOINT MODEL PYTHON [PLACES]`.

Both send the same kind of request (the one turn of `plain-en-1`, three pictures, a JSON schema) to a running server,
started by `geoscribe serve`, with the same number in flight; PYTHON is of the environment that vLLM is in. Compared
are generated tokens a second by the server's own count, as replies differ in length, in the middle of each run: a reply
that is refused is asked for once more, so that the last places of ours are on the way when most of the room is empty,
which in a build of thousands does not count. Then 10,000 places are queued, to see what the client holds.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import psutil

from pipeline.captioning.base import Evidence
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.dialogue.pictures import Picture, pictures_of
from pipeline.captioning.dialogue.templates import Templates
from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.engine.build_file import parse_build
from pipeline.errors import BuildStopped
from pipeline.imaging.encode import encode_jpeg
from pipeline.stopping import clear_stop, request_stop
from prompts.loader import load_prompt_set
from prompts.replies import reply_schema
from schemas.records import Chip, Image, ImageryRow, Quality, StreetView

PROMPTS = "plain-en-1"
AT_ONCE = 16
ROUNDS = 2
QUEUED = 10_000
WATCH_S = 20.0
_GENERATED = re.compile(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)$", re.MULTILINE)
_CREDIT: dict[str, Any] = {
    "source": "s",
    "source_id": "1",
    "author": "a",
    "licence": "CC0-1.0",
    "link": "https://x.org",
}
_THEIRS = """
import asyncio, sys
from vllm.benchmarks.serve import add_cli_args, main_async
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
add_cli_args(parser)
asyncio.run(main_async(parser.parse_args(sys.argv[1:])))
"""
"""`vllm bench serve`, where the command itself does not start (the CPU build's package has another name)."""


@dataclass(frozen=True)
class Places(Sequence[Evidence]):
    """Places with a view, an aerial chip and a map each, drawn when they are asked for."""

    first: int
    size: int

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, i: int) -> Evidence: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[Evidence]: ...

    def __getitem__(self, i: int | slice) -> Evidence | Sequence[Evidence]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(self.size))]
        if not 0 <= i < self.size:
            raise IndexError(i)
        return place(self.first + i)

    def __iter__(self) -> Iterator[Evidence]:
        return (self[i] for i in range(self.size))


def place(number: int) -> Evidence:
    """A place by its number: a view and two chips of coloured blocks, without cues."""
    random = np.random.Generator(np.random.Philox(key=number))

    def picture(width: int, height: int) -> Image:
        coarse = random.integers(0, 255, (height // 16, width // 16, 3), np.uint8)
        return Image(bytes=encode_jpeg(np.kron(coarse, np.ones((16, 16, 1), np.uint8)), 88), path="x.jpg")

    chip: dict[str, Any] = {
        **_CREDIT, "gsd_m": 0.3, "width": 512, "height": 512, "west": 0, "south": 0, "east": 0, "north": 0,
        "crs": "+proj=aeqd", "captured_at": None, "covered": 1.0,
    }  # fmt: skip
    view = StreetView(
        **_CREDIT, view_id="0", projection="perspective", cut_from=None, lat=0, lon=0, distance_m=1, heading_deg=0,
        pitch_deg=0, hfov_deg=70, captured_at=None, width=1_024, height=768, faces_blurred=0, phash="0" * 16,
        quality=Quality(sharpness=100, contrast=50, entropy=7, darkness=0), image=picture(1_024, 768), truth=None,
    )  # fmt: skip
    site = ImageryRow(
        site_id=f"s{number}", status="ok", reason=None, detail=None, region="r", unit="u", lat=0, lon=0, weight=1,
        views=[view], aerial=Chip(**chip, image=picture(512, 512)), map=Chip(**chip, image=picture(512, 512)),
        facts=[], missing=[],
    )  # fmt: skip
    return Evidence(site, [])


def build_for(endpoint: str, model: str, workspace: Path) -> Build:
    """A build whose captioner asks this server."""
    captioner = {"engine": "dialogue", "prompt_set": PROMPTS, "model": model, "endpoints": [endpoint]}
    world = {"type": "world"}
    raw = {
        "name": "bench",
        "workspace": str(workspace),
        "dataset": str(workspace / "dataset"),
        "regions": [{"name": "r", "centre": [0, 0], "radius_m": 100}],
        "sources": {"street": {"s": world}, "aerial": {"a": world}, "map": {"m": world}},
        "captioner": captioner | {"at_once": AT_ONCE, "view_pixels": 200_704, "chip_pixels": 50_176},
    }
    return parse_build(raw, base=workspace)


class Meter:
    """Reads the server's count of generated tokens twice a second."""

    def __init__(self, endpoint: str) -> None:
        self._url = endpoint.removesuffix("/v1") + "/metrics"
        self._read: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def rate(self) -> tuple[float, float]:
        """All tokens, and tokens a second from a tenth to seven tenths of the time in which there were any."""
        seconds, counts = np.array(self._read).T
        busy = np.flatnonzero(np.diff(counts))
        start, end = seconds[busy[0]], seconds[busy[-1] + 1]
        low, high = start + 0.1 * (end - start), start + 0.7 * (end - start)
        tokens = np.interp(high, seconds, counts) - np.interp(low, seconds, counts)
        return counts[-1] - counts[0], float(tokens / (high - low))

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            with urllib.request.urlopen(self._url, timeout=10) as answer:
                found = _GENERATED.search(answer.read().decode())
            if found is not None:
                self._read.append((time.monotonic(), float(found[1])))


def ours(build: Build, places: Places) -> None:
    """Have the captioner describe them."""
    _captioner(build).describe(list(places))


def theirs(build: Build, places: Places, python: Path, folder: Path) -> None:
    """Have vLLM's benchmark send what the captioner would."""
    settings = _settings(build)
    templates = Templates(load_prompt_set(PROMPTS), settings)
    lines = []
    for i, place in enumerate(places):
        parts: list[dict[str, Any]] = [{"type": "text", "text": templates.system}]
        for number, shown in enumerate(pictures_of(place.site, settings), start=1):
            file = folder / f"{i}-{number}.jpg"
            file.write_bytes(shown.jpeg)
            parts += [
                {"type": "text", "text": _caption(templates, number, shown)},
                {"type": "image", "image": str(file)},
            ]
        parts.append({"type": "text", "text": templates.ask("compose", "")})
        lines.append(json.dumps({"content": parts}))
    (folder / "requests.jsonl").write_text("\n".join(lines))
    schema = {"name": "compose", "strict": True, "schema": reply_schema("compose")}
    # No seed: with the same one all replies would be of one length, and ours are not.
    body = {"response_format": {"type": "json_schema", "json_schema": schema}, "top_p": settings.top_p}
    options = {
        "--backend": "openai-chat",
        "--base-url": settings.endpoints[0].removesuffix("/v1"),
        "--endpoint": "/v1/chat/completions",
        "--model": settings.model,
        "--tokenizer": settings.serve.weights or settings.model,
        "--dataset-name": "custom_image",
        "--dataset-path": folder / "requests.jsonl",
        "--num-prompts": len(places),
        "--max-concurrency": AT_ONCE,
        "--custom-output-len": settings.reply_tokens,
        "--temperature": settings.temperature,
        "--extra-body": json.dumps(body),
    }
    flags = ["--disable-shuffle", "--custom-ensure-client-side-data", "--skip-tokenizer-init"]
    command = [str(python), "-c", _THEIRS, *(str(part) for option in options.items() for part in option), *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"vLLM's benchmark failed:\n{done.stderr[-2_000:]}")


def queued(build: Build) -> tuple[float, float, int]:
    """Memory of this process in MB before and at most while 10,000 places wait, and replies that came meanwhile."""
    captioner = _captioner(build)
    captioner.describe(Places(10**6, 2))
    process = psutil.Process()
    before = most = process.memory_info().rss / 1e6

    def run() -> None:
        try:
            captioner.describe(Places(2 * 10**6, QUEUED))
        except BuildStopped:
            return

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + WATCH_S
    while time.monotonic() < end and thread.is_alive():
        most = max(most, process.memory_info().rss / 1e6)
        time.sleep(0.05)
    request_stop()
    thread.join()
    clear_stop()
    return before, most, captioner.requests_sent


def _caption(templates: Templates, number: int, shown: Picture) -> str:
    return templates.picture(
        number=number, kind=shown.kind, direction=shown.direction, metres=shown.metres, octant=shown.octant
    )


def _settings(build: Build) -> Dialogue:
    assert isinstance(build.captioner, Dialogue)
    return build.captioner


def _captioner(build: Build) -> DialogueCaptioner:
    return DialogueCaptioner(_settings(build), build)


def main() -> None:
    endpoint, model, python = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 128
    with tempfile.TemporaryDirectory() as folder:
        rates: dict[str, list[float]] = {"geoscribe": [], "vllm bench serve": []}
        ours(build_for(endpoint, model, Path(folder) / "warm"), Places(10**7, AT_ONCE))
        for turn in range(ROUNDS):
            work = Path(folder) / str(turn)
            (work / "theirs").mkdir(parents=True)
            build = build_for(endpoint, model, work)
            for name, send in (
                ("geoscribe", partial(ours, build, Places(2 * turn * count, count))),
                (
                    "vllm bench serve",
                    partial(theirs, build, Places((2 * turn + 1) * count, count), python, work / "theirs"),
                ),
            ):
                with Meter(endpoint) as meter:
                    send()
                tokens, rate = meter.rate()
                rates[name].append(rate)
                print(f"{name}: {count} places, {tokens:,.0f} tokens, {rate:,.0f} tokens/s")
        share = sum(rates["geoscribe"]) / sum(rates["vllm bench serve"])
        print(f"geoscribe over vllm bench serve, {AT_ONCE} at once: {share:.0%}")
        before, most, sent = queued(build_for(endpoint, model, Path(folder) / "queue"))
        print(
            f"{QUEUED:,} places queued: {before:.0f} MB before, {most:.0f} MB at most; {sent} requests in {WATCH_S:g} s"
        )


if __name__ == "__main__":
    main()
