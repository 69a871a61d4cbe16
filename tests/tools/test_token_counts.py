"""The bench of tokens: byte-pair encoding, and what a prefix cache saves."""

import base64

import pytest

from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.requests import Request, Sampling
from tools.dev.bench.tokens import Counts, PrefixCache, Tokenizer, gpu_seconds, prompt_of


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    merges = [b"th", b"e ", b"the", b" c", b"at", b" cat"]
    tokens = [bytes([byte]) for byte in range(256)] + merges
    file = tmp_path_factory.mktemp("bpe") / "small.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % i for i, token in enumerate(tokens)))
    return Tokenizer(file)


def test_pairs_are_merged_by_rank_within_pieces(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("the cat") == [258, 261]  # not "e ", which crosses two words
    assert tokenizer.encode("cat") == [ord("c"), 260]
    assert tokenizer.encode("12") == [ord("1"), ord("2")]  # one piece a digit
    assert tokenizer.encode("\ud55c") == list("\ud55c".encode())


def request(*parts: str | Picture, system: str = "the rules " * 20) -> Request:
    return Request("observe 1", Sampling("m", None, 0.0, 1.0, 10), 1, system, parts, {})


def test_what_begins_alike_is_worked_through_once(tokenizer: Tokenizer) -> None:
    view = Picture("street", b"a", 280, 280, "1", None, None, None)
    other = Picture("street", b"b", 280, 280, "2", None, None, None)
    cache = PrefixCache()
    first = prompt_of(request(view, "the cat"), tokenizer)
    assert sum(isinstance(token, tuple) for token in first) == view.tokens == 102
    assert cache.take(first) == 0
    assert cache.take(first) == len(first) // 16 * 16
    longer = prompt_of(request(view, "the cat the cat the cat"), tokenizer)
    assert len(first) - 32 <= cache.take(longer) < len(first)
    elsewhere = cache.take(prompt_of(request(other, "the cat"), tokenizer))
    assert 0 < elsewhere < len(first) - 102  # the system message alone is the same
    assert cache.take(prompt_of(request(view, system="others"), tokenizer)) == 0


def test_the_estimate_grows_with_what_is_worked_through_and_written() -> None:
    def seconds(text: int, cached: int, replies: int) -> tuple[float, float]:
        counts = Counts(sites=1, cached=cached)
        counts.requests["observe"] = 1
        counts.words["observe"], counts.replies["observe"] = text, replies
        return gpu_seconds(counts)

    read, write = seconds(4_000, 0, 500)
    assert seconds(4_000, 2_000, 500)[0] == pytest.approx(read / 2)
    assert seconds(4_000, 0, 1_000)[1] > 1.9 * write
