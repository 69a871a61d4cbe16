"""Counts the tokens of a dialogue: `python -m tools.dev.bench.tokens QWEN_TIKTOKEN BUILD...`.

Each BUILD is the file of a build whose captions a model wrote and whose workspace has the replies; the dialogues are
held again with these, and every prompt and reply is counted with the tokenizer of Qwen2.5. QWEN_TIKTOKEN is its
vocabulary, `resources/qwen.tiktoken` in the package dashscope (Apache-2.0). The prefix cache is vLLM's: blocks of 16
tokens, found again if they and all before them are the same, as long as none is evicted. GPU seconds are an estimate:
they follow from the counts and the figures under "a card", each with its source.
"""

import asyncio
import base64
import re
import sys
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from pipeline.captioning.base import Evidence, prompt_set_of
from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.replies import ReplyCache
from pipeline.captioning.dialogue.requests import Reply, Request
from pipeline.captioning.dialogue.templates import Templates
from pipeline.captioning.dialogue.turn_requests import DialogueSetup
from pipeline.captioning.dialogue.turns import describe
from pipeline.config.build import Build
from pipeline.engine.build_file import load_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.errors import SiteError
from pipeline.storage import open_store
from schemas.records import CueRow, ImageryRow

# Of Qwen2.5's tokenizer, https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/blob/main/tokenizer.json, but for the classes:
# letters and digits as `re` has them, which is the same but for signs like superscripts.
_PIECES = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BLOCK = 16

# A card: one NVIDIA H100 SXM with Qwen2.5-VL-7B in bfloat16.
PEAK_FLOPS, BANDWIDTH = 989e12, 3.35e12
"""Dense bfloat16 a second, and bytes of memory a second: https://resources.nvidia.com/en-us-tensor-core (H100)."""
PARAMETERS, VISION_PARAMETERS = 7.61e9, 0.675e9
"""https://huggingface.co/Qwen/Qwen2.5-7B; https://arxiv.org/abs/2502.13923. A token of a picture is of four patches."""
KV_BYTES = 28 * 2 * 4 * 128 * 2
"""Size of a token in the cache: layers, key and value, heads, their size, bytes (config.json of the model)."""
SEQUENCES = 64
"""At once, as `captioner.serve.max_num_seqs` has it."""
REACHED = 0.4
"""Share of either peak that is reached: assumed. Doubling it halves the seconds."""


class Tokenizer:
    """Byte-pair encoding with the ranks of a `.tiktoken` file."""

    def __init__(self, file: Path) -> None:
        lines = (line.split() for line in file.read_bytes().splitlines() if line)
        self._ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        self._of_piece = lru_cache(maxsize=100_000)(self._merged)

    def encode(self, text: str) -> list[int]:
        """The text's tokens."""
        return [token for piece in _PIECES.findall(text) for token in self._of_piece(piece)]

    def _merged(self, piece: str) -> tuple[int, ...]:
        parts = [bytes([byte]) for byte in piece.encode()]
        while len(parts) > 1:
            ranked = [(self._ranks.get(a + b), i) for i, (a, b) in enumerate(pairwise(parts))]
            known = [(rank, i) for rank, i in ranked if rank is not None]
            if not known:
                break
            _, at = min(known)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._ranks[part] for part in parts)


@dataclass
class Counts:
    """Tokens of all requests of some sites."""

    sites: int = 0
    left_out: int = 0
    """Sites without kept replies to all turns."""
    requests: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    """Words of the prompts, without pictures, by turn."""
    pictures: Counter[str] = field(default_factory=Counter)
    cached: int = 0
    new_pictures: int = 0
    """Tokens of pictures that the cache did not have."""
    replies: Counter[str] = field(default_factory=Counter)

    @property
    def prompts(self) -> int:
        """Tokens of all prompts."""
        return self.words.total() + self.pictures.total()


def prompt_of(request: Request, tokenizer: Tokenizer) -> list[Hashable]:
    """The prompt's tokens in the form of the model's chat template; those of a picture bear its digest."""
    found: list[Hashable] = ["<im_start>", *tokenizer.encode(f"system\n{request.system}"), "<im_end>"]
    found += [*tokenizer.encode("\n"), "<im_start>", *tokenizer.encode("user\n")]
    for part in request.parts:
        if isinstance(part, Picture):
            found += [(part.digest, i) for i in range(part.tokens)]
        else:
            found += tokenizer.encode(part)
    return [*found, "<im_end>", *tokenizer.encode("\n"), "<im_start>", *tokenizer.encode("assistant\n")]


class PrefixCache:
    """The blocks that a server has worked through."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def take(self, tokens: Sequence[Hashable]) -> int:
        """How many of the tokens are cached; afterwards all of their whole blocks are."""
        chain, hits, all_hit = 0, 0, True
        for start in range(0, len(tokens) - _BLOCK + 1, _BLOCK):
            chain = hash((chain, tuple(tokens[start : start + _BLOCK])))
            all_hit = all_hit and chain in self._known
            hits += _BLOCK * all_hit
            self._known.add(chain)
        return min(hits, len(tokens) - 1)


def evidence_of(build: Build) -> Iterator[Evidence]:
    """The build's sites with their cues, of the newest tables."""
    store = open_store(build.workspace)
    files = list_layers(store)
    cues = {row.site_id: row for file in files if file.layer == "cues" for row in read_rows(store, file, CueRow)}
    sites = {r.site_id: r for file in files if file.layer == "imagery" for r in read_rows(store, file, ImageryRow)}
    for site_id, row in sorted(sites.items()):
        if row.status == "ok" and site_id in cues and cues[site_id].status == "ok":
            yield Evidence(row, cues[site_id].cues)


def count(build: Build, tokenizer: Tokenizer, cache: PrefixCache, counts: Counts) -> None:
    """Hold the dialogues of a build again and count."""
    settings = build.captioner
    assert settings.engine == "dialogue", "captions of a model are counted"
    prompt_set = prompt_set_of(settings.prompt_set, "dialogue")
    setup = DialogueSetup(settings, build.grounding, build.seed, prompt_set, Templates(prompt_set, settings))
    kept = ReplyCache(open_store(build.workspace))
    for site in evidence_of(build):
        asked: list[tuple[Request, Reply]] = []

        async def ask(request: Request, _home: object, asked: list[tuple[Request, Reply]] = asked) -> Reply:
            reply = kept.find(request)
            if reply is None:
                raise LookupError(request.name)
            asked.append((request, reply))
            return reply

        try:
            asyncio.run(describe(setup, ask, site))
        except (LookupError, SiteError) as error:
            print(f"left out: {site.site.site_id}: {error}", file=sys.stderr)
            counts.left_out += 1
            continue
        counts.sites += 1
        for request, reply in asked:
            turn = request.name.split()[0]
            tokens = prompt_of(request, tokenizer)
            shown = sum(part.tokens for part in request.parts if isinstance(part, Picture))
            hits = cache.take(tokens)
            counts.requests[turn] += 1
            counts.words[turn] += len(tokens) - shown
            counts.pictures[turn] += shown
            counts.cached += hits
            counts.new_pictures += sum(isinstance(token, tuple) for token in tokens[hits:])
            counts.replies[turn] += len(tokenizer.encode(reply.text)) + 1


def gpu_seconds(counts: Counts) -> tuple[float, float]:
    """Seconds of the card for all sites, an estimate: to work through prompts, and to write."""
    flops = 2 * PARAMETERS * (counts.prompts - counts.cached) + 2 * VISION_PARAMETERS * 4 * counts.new_pictures
    requests = counts.requests.total()
    context = (counts.prompts + counts.replies.total() / 2) / requests
    step = (2 * PARAMETERS + SEQUENCES * context * KV_BYTES) / (REACHED * BANDWIDTH)
    return flops / (REACHED * PEAK_FLOPS), counts.replies.total() / SEQUENCES * step


def main() -> None:
    """Print the counts a site, by turn and together."""
    tokenizer, cache, counts = Tokenizer(Path(sys.argv[1])), PrefixCache(), Counts()
    for file in sys.argv[2:]:
        count(load_build(Path(file)), tokenizer, cache, counts)
    n = counts.sites
    print(f"{n} sites, {counts.left_out} left out; of a site:")
    print(f"{'turn':8} {'requests':>9} {'text':>7} {'pictures':>9} {'reply':>7}")
    for turn in counts.requests:
        parts = (counts.words[turn] / n, counts.pictures[turn] / n, counts.replies[turn] / n)
        print(f"{turn:8} {counts.requests[turn] / n:9.1f} {parts[0]:7.0f} {parts[1]:9.0f} {parts[2]:7.0f}")
    print(f"tokens in: {counts.prompts / n:.0f}, of these in the prefix cache {counts.cached / counts.prompts:.0%}")
    print(f"worked through: {(counts.prompts - counts.cached) / n:.0f}; tokens out: {counts.replies.total() / n:.0f}")
    read, write = gpu_seconds(counts)
    print(
        f"estimate for one H100 and a model of 7B: {(read + write) / n:.2f} s a site ({read / n:.2f} to read, "
        f"{write / n:.2f} to write); a million sites: {(read + write) / n * 1e6:,.0f} GPU seconds, "
        f"{(read + write) / n * 1e6 / 3600:.0f} GPU hours"
    )


if __name__ == "__main__":
    main()
