"""The cache of answers, in one process and in several."""

import contextlib
import hashlib
import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MachineError
from pipeline.net import cache as module
from pipeline.net.base import Answer
from pipeline.net.cache import AnswerCache
from pipeline.net.cache_index import ENTRY_BYTES
from tests.examples import examples

BIG = 10**9


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[AnswerCache]:
    made = AnswerCache(tmp_path / "cache", BIG, clock)
    yield made
    made.close()


def answer(body: bytes = b"body", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(body, 200, "image/jpeg", named, "https://example.org/a.jpg?expires=soon&sig=secret")


def bodies(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in (folder / "bodies").rglob("*") if path.is_file()}


def test_what_is_put_is_got(cache: AnswerCache) -> None:
    assert cache.get("key") is None
    cache.put("key", Answer(b"\x00\xff", 206, "image/jpeg", {"etag": '"e"', "last-modified": "x"}), immutable=True)
    stored = cache.get("key")
    assert stored is not None
    assert stored.answer == Answer(
        b"\x00\xff", 206, "image/jpeg", {"etag": '"e"', "last-modified": "x"}, url="", cached=True
    )
    assert (stored.etag, stored.last_modified, stored.fresh) == ('"e"', "x", True)
    assert cache.get("other") is None


def test_a_key_of_any_text(cache: AnswerCache) -> None:
    for key in ("", "\x00", "k" * 100_000, "\ud800", "../../etc"):
        cache.put(key, answer(key.encode("utf-8", "replace")), immutable=True)
        assert cache.get(key) is not None


def test_fresh_until_its_headers_say_so(cache: AnswerCache, clock: Clock) -> None:
    cache.put("aged", answer(cache_control="max-age=100", etag="e"), immutable=False)
    cache.put("immutable", answer(cache_control="max-age=100"), immutable=True)
    cache.put("checked", answer(etag="e"), immutable=False)
    ages: list[tuple[float, bool]] = [(0, True), (99, True), (100, False), (1e9, False), (-1000, False)]
    for age, fresh in ages:
        clock.now = Clock.now + age
        for key, expected in (("aged", fresh), ("immutable", True), ("checked", False)):
            stored = cache.get(key)
            assert stored is not None
            assert stored.fresh is expected


def test_no_store_is_never_stored(cache: AnswerCache, tmp_path: Path) -> None:
    cache.put("key", answer(b"old", etag="e"), immutable=True)
    cache.put("key", answer(b"new", cache_control="no-store"), immutable=True)
    assert cache.get("key") is None
    assert not bodies(tmp_path / "cache")


def test_what_could_never_be_used_is_not_stored(cache: AnswerCache, tmp_path: Path) -> None:
    cache.put("key", answer(), immutable=False)
    assert cache.get("key") is None
    assert not bodies(tmp_path / "cache")


def test_refreshed_takes_the_new_headers(cache: AnswerCache, clock: Clock) -> None:
    cache.put("key", answer(cache_control="max-age=100", etag="e", age="90"), immutable=False)
    clock.now = Clock.now + 50
    stored = cache.get("key")
    assert stored is not None
    assert not stored.fresh
    cache.refreshed("key", {"etag": "e", "set-cookie": "no"})  # the 304 may leave out what did not change
    clock.now += 99
    stored = cache.get("key")
    assert stored is not None
    assert stored.fresh
    assert stored.answer.body == b"body"
    assert "set-cookie" not in stored.answer.headers
    cache.refreshed("key", {"cache-control": "no-cache", "etag": "f"})
    stored = cache.get("key")
    assert stored is not None
    assert (stored.fresh, stored.etag) == (False, "f")
    cache.refreshed("key", {"cache-control": "no-store"})
    assert cache.get("key") is None
    cache.refreshed("key", {"cache-control": "max-age=5"})
    assert cache.get("key") is None


def test_equal_bodies_are_kept_once(cache: AnswerCache, tmp_path: Path) -> None:
    for n in range(5):
        cache.put(f"key {n}", answer(b"blank tile"), immutable=True)
    assert list(bodies(tmp_path / "cache")) == [hashlib.sha256(b"blank tile").hexdigest()]
    for n in range(5):
        cache.put(f"key {n}", answer(f"tile {n}".encode()), immutable=True)
    assert hashlib.sha256(b"blank tile").hexdigest() not in bodies(tmp_path / "cache")
    cache.put("key 0", answer(b"tile 0", etag="new"), immutable=True)
    stored = cache.get("key 0")
    assert stored is not None
    assert (stored.answer.body, stored.etag) == (b"tile 0", "new")


def test_nothing_of_keys_and_addresses_is_on_disk(cache: AnswerCache, tmp_path: Path) -> None:
    headers = {"set-cookie": "session=canary", "location": "https://canary/", "link": "canary", "etag": "e"}
    cache.put(
        "canary key", Answer(b"body", 200, "text/plain", headers, "https://example.org/?sig=canary"), immutable=True
    )
    cache.get("canary key")
    cache.close()
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert not [path for path in files if b"canary" in path.read_bytes()]


@pytest.mark.parametrize("harm", [b"", b"bodx", b"body and more", None])
def test_a_damaged_or_missing_body_is_a_miss(cache: AnswerCache, tmp_path: Path, harm: bytes | None) -> None:
    cache.put("one", answer(), immutable=True)
    cache.put("two", answer(), immutable=True)
    [path] = bodies(tmp_path / "cache").values()
    if harm is None:
        path.unlink()
    else:
        path.write_bytes(harm)
    assert cache.get("one") is None
    assert cache.get("two") is None
    assert not path.exists()
    cache.put("one", answer(), immutable=True)
    assert cache.get("one") is not None


def total(folder: Path) -> int:
    with sqlite3.connect(next(folder.glob("index-*.sqlite"))) as index:
        [entries] = index.execute("SELECT count(*) FROM entries").fetchone()
        [used] = index.execute("SELECT bytes FROM used").fetchone()
    index.close()
    on_disk = sum(path.stat().st_size for path in bodies(folder).values())
    assert used == on_disk + ENTRY_BYTES * entries
    return int(used)


def test_the_least_recently_used_go_first(tmp_path: Path, clock: Clock) -> None:
    cache = AnswerCache(tmp_path, 10 * (1000 + ENTRY_BYTES), clock)
    for n in range(10):
        clock.now += 1
        cache.put(str(n), answer(bytes([n]) * 1000), immutable=True)
    clock.now += 1
    for n in (0, 3):
        assert cache.get(str(n))
    for n in range(10, 15):
        clock.now += 1
        cache.put(str(n), answer(bytes([n]) * 1000), immutable=True)
    left = {n for n in range(15) if cache.get(str(n))}
    assert {0, 3, 12, 13, 14} <= left
    assert left <= {0, 3, 8, 9, 10, 11, 12, 13, 14}
    cache.close()


def test_what_another_process_used_counts(tmp_path: Path, clock: Clock) -> None:
    limit = 10 * (1000 + ENTRY_BYTES)
    cache = AnswerCache(tmp_path, limit, clock)
    for n in range(9):
        clock.now += 1
        cache.put(str(n), answer(bytes([n]) * 1000), immutable=True)
    clock.now += 1
    other = AnswerCache(tmp_path, limit, clock)
    assert other.get("0")
    other.close()
    for n in range(9, 12):
        clock.now += 1
        cache.put(str(n), answer(bytes([n]) * 1000), immutable=True)
    assert cache.get("0")
    assert not cache.get("1")
    cache.close()


@examples(25)
@given(
    st.integers(0, 20_000),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 6000), st.booleans()), max_size=40),
)
def test_never_more_than_the_limit_and_what_is_there_is_right(
    tmp_path_factory: pytest.TempPathFactory, max_bytes: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = AnswerCache(folder, max_bytes)
    last: dict[str, bytes] = {}
    for key, content, size, reads in steps:
        if reads:
            stored = cache.get(str(key))
            assert stored is None or stored.answer.body == last[str(key)]
        else:
            last[str(key)] = bytes([content]) * size
            cache.put(str(key), answer(last[str(key)]), immutable=True)
            assert total(folder) <= max_bytes
            assert (cache.get(str(key)) is None) == (size + ENTRY_BYTES > max_bytes)
    cache.close()


def test_leftovers_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWEEP_EVERY", 1)
    cache = AnswerCache(tmp_path, BIG)
    cache.put("key", answer(), immutable=True)
    [kept] = bodies(tmp_path).values()
    young, old = (kept.with_name(kept.name[:2] + end * 62) for end in "01")
    unfinished = tmp_path / "new" / "unfinished"
    for file in (young, old, unfinished):
        file.write_bytes(b"left over")
    for file in (old, unfinished, kept):
        os.utime(file, (1, 1))
    cache.put("again", answer(), immutable=True)
    cache.close()
    assert set(bodies(tmp_path).values()) == {kept, young}
    AnswerCache(tmp_path, BIG).close()
    assert not unfinished.exists()


def test_made_for_its_owner_alone(tmp_path: Path) -> None:
    AnswerCache(tmp_path / "cache", BIG).close()
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError, match=rf"response cache in {tmp_path}/file/cache .*`network\.cache`"):
        AnswerCache(tmp_path / "file" / "cache", BIG)


@pytest.mark.parametrize("from_byte", [0, 100, 5000])
@pytest.mark.parametrize("open_before", [True, False])
def test_a_damaged_index_is_begun_anew(
    tmp_path: Path, from_byte: int, open_before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    cache = AnswerCache(tmp_path, BIG)
    for n in range(100):
        cache.put(str(n), answer(str(n).encode()), immutable=True)
    cache.close()
    cache = AnswerCache(tmp_path, BIG)
    if not open_before:
        cache.close()
    [index] = tmp_path.glob("index-*.sqlite")
    data = index.read_bytes()
    index.write_bytes(data[:from_byte] + b"garbage " * ((len(data) - from_byte) // 8))
    caplog.set_level(logging.WARNING)
    if not open_before:
        cache = AnswerCache(tmp_path, BIG)
    found = [stored for n in range(100) if (stored := cache.get(str(n)))]
    for stored in found:
        assert stored.answer.body in {str(n).encode() for n in range(100)}
    for n in range(100):
        cache.put(str(n), answer(str(n).encode()), immutable=True)
        assert cache.get(str(n))
    assert "damaged" in caplog.text
    cache.close()
    assert not index.exists()
    again = AnswerCache(tmp_path, BIG)
    assert all(again.get(str(n)) for n in range(100))
    again.close()


ODD_CONTENT = {
    "another table": "DROP TABLE entries; CREATE TABLE entries (key BLOB PRIMARY KEY)",
    "a view": "DROP TABLE used; CREATE VIEW used AS SELECT 5 AS bytes",
    "no table": "DROP TABLE bodies",
    "no trigger": "DROP TRIGGER entry_out",
    "a foreign trigger": "CREATE TRIGGER odd AFTER DELETE ON used BEGIN SELECT raise(ABORT, 'x'); END",
    "a foreign table": "CREATE TABLE more (x)",
    "no count": "DELETE FROM used",
    "two counts": "INSERT INTO used VALUES (1)",
    "a text for a count": "UPDATE used SET bytes = 'many'",
    "a count below zero": "UPDATE used SET bytes = -1",
    "a count too high": "UPDATE used SET bytes = 1000000000000",
    "headers that are no JSON": "UPDATE entries SET headers = '{'",
    "headers that are a list": "UPDATE entries SET headers = '[1]'",
    "a header that is a number": "UPDATE entries SET headers = '{\"etag\": 5}'",
    "headers too deep": "UPDATE entries SET headers = printf('%.*c', 100000, '[')",
    "a digest that is a text": "UPDATE entries SET digest = 'x'",
    "a digest that is a number": "UPDATE entries SET digest = 5",
    "a digest too short": "UPDATE entries SET digest = x'00'",
    "a status that is a text": "UPDATE entries SET status = 'ok'",
    "a type that is no text": "UPDATE entries SET content_type = x'ff'",
    "text that is not UTF-8": "UPDATE entries SET content_type = CAST(x'ff' AS TEXT)",
    "a date that is a text": "UPDATE entries SET stored_at = 'today'",
    "an age that is a text": "UPDATE entries SET fresh_s = 'long', immutable = 0",
    "sizes that are texts": "UPDATE bodies SET size = 'large'",
}


@pytest.mark.parametrize("harm", ODD_CONTENT.values(), ids=ODD_CONTENT.keys())
@pytest.mark.parametrize("open_before", [False, True])
def test_a_sound_index_with_odd_content_is_begun_anew(
    harm: str, open_before: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = AnswerCache(tmp_path, 3 * (1_000 + ENTRY_BYTES))
    for n in range(3):
        cache.put(str(n), answer(bytes([n]) * 1_000), immutable=True)
    if not open_before:
        cache.close()
    [index] = tmp_path.glob("index-*.sqlite")
    with contextlib.closing(sqlite3.connect(index)) as database:
        database.executescript(harm)
    if not open_before:
        cache = AnswerCache(tmp_path, 3 * (1_000 + ENTRY_BYTES))
    for n in range(9):
        stored = cache.get(str(n))
        assert stored is None or stored.answer.body == bytes([n]) * 1_000
        cache.put(str(n), answer(bytes([n]) * 1_000), immutable=True)
        cache.refreshed(str(n), {"etag": '"e"'})
    cache.close()
    again = AnswerCache(tmp_path, BIG)
    again.put("8", answer(), immutable=True)
    assert again.get("8") is not None
    again.close()
    assert "a new one is created" in caplog.text or "TRIGGER entry_out" in harm  # which is made again without a word


def test_other_files_beside_the_index_are_none_of_its_business(tmp_path: Path) -> None:
    for name in ("index-1-x.sqlite", "index-1-.sqlite", "index-1--5.sqlite", "index-2-7.sqlite"):
        (tmp_path / name).write_bytes(b"x")
    cache = AnswerCache(tmp_path, BIG)
    cache.put("key", answer(), immutable=True)
    assert cache.get("key") is not None
    cache.close()


def test_threads_share_it(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path, 60 * (1000 + ENTRY_BYTES))
    faults = []

    def work(number: int) -> None:
        choice = random.Random(number)
        for _ in range(60):
            n = choice.randrange(100)
            cache.put(str(n), answer(bytes([n]) * 1000), immutable=True)
            n = choice.randrange(100)
            stored = cache.get(str(n))
            if stored and stored.answer.body != bytes([n]) * 1000:
                faults.append(n)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert total(tmp_path) <= 60 * (1000 + ENTRY_BYTES)
    cache.close()


WORKER = """
import random, sys
from pathlib import Path
from pipeline.net.base import Answer
from pipeline.net.cache import AnswerCache
folder, max_bytes, seed, rounds = Path(sys.argv[1]), *map(int, sys.argv[2:])
choice = random.Random(seed)
cache = AnswerCache(folder, max_bytes)
for _ in range(rounds):
    n = choice.randrange(120)
    cache.put(str(n), Answer(bytes([n]) * 20_000, 200, "image/jpeg", {}), immutable=True)
    n = choice.randrange(120)
    stored = cache.get(str(n))
    assert stored is None or stored.answer.body == bytes([n]) * 20_000
cache.close()
"""


def start(folder: Path, max_bytes: int, seed: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(folder), *(str(n) for n in (max_bytes, seed, rounds))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_it_waits_for_another_process_that_is_setting_it_up(tmp_path: Path) -> None:
    made = AnswerCache(tmp_path, BIG)
    made.close()
    (index,) = tmp_path.glob("index-*.sqlite")
    index.unlink()
    other = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE other (x)")
    other.execute("BEGIN IMMEDIATE")  # for which SQLite itself does not wait when the journal is changed
    done = threading.Timer(0.3, other.execute, ["COMMIT"])
    done.start()
    AnswerCache(tmp_path, BIG).close()
    done.join()
    other.close()


def test_processes_share_it(tmp_path: Path) -> None:
    limit = 80 * (20_000 + ENTRY_BYTES)
    processes = [start(tmp_path / "cache", limit, seed, 150) for seed in range(4)]
    for process in processes:
        _, error = process.communicate()
        assert process.returncode == 0, error
    assert total(tmp_path / "cache") <= limit


def test_killed_at_any_moment_it_stays_whole(tmp_path: Path) -> None:
    limit = 80 * (20_000 + ENTRY_BYTES)
    moments = random.Random(5)
    for round_ in range(8):
        victim, witness = start(tmp_path, limit, round_, 100_000), start(tmp_path, limit, 1000 + round_, 30)
        while not list(tmp_path.glob("bodies/*/*")):
            assert victim.poll() is None
            time.sleep(0.01)
        _, error = witness.communicate()  # by now the victim is at work
        time.sleep(moments.uniform(0.0, 0.1))
        victim.send_signal(signal.SIGKILL)
        _, told = victim.communicate()
        assert victim.returncode == -signal.SIGKILL, told
        assert witness.returncode == 0, error
    cache = AnswerCache(tmp_path, limit)
    there = {n: stored.answer.body for n in range(120) if (stored := cache.get(str(n)))}
    assert len(there) >= 60
    assert all(body == bytes([n]) * 20_000 for n, body in there.items())
    for n in range(120):
        cache.put(str(n), answer(bytes([n]) * 20_000), immutable=True)
        assert cache.get(str(n))
    cache.close()
    assert len(list(tmp_path.glob("index-*.sqlite"))) == 1
