import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pipeline.errors import ConfigError
from pipeline.storage import STALE_AFTER_S, TEMPORARY, Store, open_store

DIES_LOCKED = """
import os, signal, sys
from pipeline.storage import open_store
with open_store(sys.argv[1]).locked("x") as held:
    assert held
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A local S3 server with one bucket; credentials in the environment, as users give them."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="places")
        yield "s3://places"
    server.stop()


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path / "files"))
    return open_store(f"{request.getfixturevalue('s3')}/{tmp_path.name}")


def test_what_is_written_is_read_and_listed(store: Store) -> None:
    store.write("a/b.txt", b"one")
    store.write("a/c.txt", b"three")
    store.write("a/b.txt", b"replaced")
    assert store.read("a/b.txt") == store.buffer("a/b.txt").to_pybytes() == b"replaced"
    assert {(e.path, e.size) for e in store.entries("a")} == {("a/b.txt", 8), ("a/c.txt", 5)}
    assert store.exists("a/c.txt")
    store.delete("a/c.txt")
    store.delete("a/c.txt")
    assert not store.exists("a/c.txt")
    for read in (store.read, store.buffer):
        with pytest.raises(FileNotFoundError):
            read("a/c.txt")


def test_create_leaves_what_is_there(store: Store) -> None:
    assert store.create("x", b"first")
    assert not store.create("x", b"second")
    assert store.read("x") == b"first"


def test_a_large_file_is_adopted_and_read_in_part(store: Store) -> None:
    temporary = store.scratch()
    temporary.write_bytes(bytes(range(256)) * 40_000)
    store.adopt(temporary, "data/large.bin")
    assert not temporary.exists()
    with store.reader("data/large.bin") as file:
        file.seek(256 * 39_999)
        assert file.read() == bytes(range(256))


def test_a_file_named_by_its_content_is_put_once_and_mended(store: Store) -> None:
    def put(data: bytes) -> bool:
        temporary = store.scratch()
        temporary.write_bytes(data)
        put = store.adopt_new(temporary, "data/same.bin")
        assert not temporary.exists()
        return put

    assert put(b"content")
    assert not put(b"content")
    store.write("data/same.bin", b"cont")
    assert put(b"content")
    assert store.read("data/same.bin") == b"content"


def test_a_lock_is_one_process_s_and_ends_with_it(tmp_path: Path) -> None:
    store, other = open_store(str(tmp_path)), open_store(str(tmp_path))
    with store.locked("x") as mine, other.locked("x") as theirs, other.locked("y") as another:
        assert (mine, theirs, another) == (True, False, True)
    killed = subprocess.run([sys.executable, "-c", DIES_LOCKED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with store.locked("x") as mine:
        assert mine
    assert store.sweep(older_than_s=-1) == 0  # locks are no leftovers
    assert list(store.entries()) == []


def test_a_bucket_knows_no_locks(s3: str) -> None:
    with open_store(f"{s3}/locks").locked("x") as held:
        assert held is None


def test_entries_know_when_they_were_written(store: Store) -> None:
    store.write("x", b"1")
    (entry,) = store.entries()
    assert abs(datetime.now(UTC) - entry.modified) < timedelta(hours=1)
    assert abs(store.now() - entry.modified) < timedelta(minutes=5)
    assert [entry.path for entry in store.entries()] == ["x"]


def test_many_writers_of_one_file_leave_one_whole_file(store: Store) -> None:
    contents = [bytes([n]) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=store.write, args=("same", data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("same") in contents
    assert [e.path for e in store.entries()] == ["same"]


def test_only_stale_temporary_files_are_swept(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    old, new = store.scratch(), store.scratch()
    old.write_bytes(b"killed")
    new.write_bytes(b"at work")
    past = old.stat().st_mtime - STALE_AFTER_S - 1
    os.utime(old, (past, past))
    assert store.sweep() == 1
    assert [p.name for p in (tmp_path / TEMPORARY).iterdir()] == [new.name]
    assert list(store.entries()) == []


def test_age_is_told_by_the_clock_that_files_have_theirs_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    at_work = store.scratch()
    at_work.write_bytes(b"at work")
    monkeypatch.setattr(time, "time", lambda: at_work.stat().st_mtime + 86_400)  # this machine's clock is a day ahead
    assert store.sweep() == 0
    assert at_work.exists()
    assert abs(store.now().timestamp() - at_work.stat().st_mtime) < STALE_AFTER_S
    assert list(store.entries()) == []


def test_a_full_disk_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = open_store(str(tmp_path))
    old = store.scratch()
    old.write_bytes(b"killed")
    os.utime(old, (0, 0))
    monkeypatch.setattr(Path, "touch", full)
    assert store.sweep() == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigError, match=r"workspace: found .*file/below.*a folder that can be written"):
        open_store(str(tmp_path / "file" / "below"))


def test_an_unknown_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="ftp://"):
        open_store("ftp://somewhere/else")


def test_no_place_at_all_is_not_the_working_directory() -> None:
    with pytest.raises(ConfigError, match="DATASET: found nothing"):
        open_store("", where="DATASET", read_only=True)


def test_a_bucket_that_cannot_be_reached_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    with pytest.raises(ConfigError, match=r"workspace: found s3://nowhere/at-all .*credentials") as error:
        open_store("s3://nowhere/at-all")
    assert "canary" not in str(error.value)
    assert "\n" not in str(error.value)
