"""Revisions of a dataset: what changes on disk, and that readers see one or the other, whole, whatever happens."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from pipeline.config.build import Build
from pipeline.errors import BuildStopped, ConfigError, MachineError
from pipeline.publishing import revisions
from pipeline.publishing.publish import Published, publish
from pipeline.publishing.units import FinishedUnit
from pipeline.stopping import clear_stop, request_stop
from pipeline.storage import Entry, Store, open_store
from schemas.records import ImageryRow
from tests.publishing.failing import Failing, Killed, kill
from tests.publishing.folders import ROOT, SMALL, files, listed, manifest_of, put, seen_by_card, seen_by_manifest, tree
from tools.verify.verify import verify

MakeUnit = Callable[..., FinishedUnit]
MakeBuild = Callable[..., Build]


@pytest.fixture(scope="module")
def changed(units: list[FinishedUnit], make_unit: MakeUnit) -> list[FinishedUnit]:
    """The units, of which the second has other weights."""

    def weighed(row: ImageryRow) -> ImageryRow:
        return row.model_copy(update={"weight": 7.5})

    return [units[0], make_unit("north", units[1].unit, sites=5, change=weighed), *units[2:]]


@pytest.fixture(scope="module")
def few(changed: list[FinishedUnit]) -> list[FinishedUnit]:
    """Some of the units, one of them changed: the revision after has a unit more, one less and one other."""
    return [changed[0], changed[1], changed[3]]


@pytest.fixture(scope="module")
def before(units: list[FinishedUnit]) -> list[FinishedUnit]:
    return [units[0], units[1], units[4]]


def publish_into(out: Store, build: Build, units: list[FinishedUnit]) -> Published:
    return publish(build, units, out, synthetic=set(), provenance={"code": "abc"})


def on_disk(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells whether a file was touched: its number in the file system and its time."""
    return {path: ((folder / path).stat().st_ino, (folder / path).stat().st_mtime_ns) for path in files(folder)}


def sound(folder: Path) -> bool:
    return verify(open_store(str(folder))) == []


def test_a_revision_writes_what_changed_beside_what_is_there(
    units: list[FinishedUnit], changed: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    first = put(build, units, tmp_path)
    was = on_disk(tmp_path)
    second = put(build, changed, tmp_path)
    now = on_disk(tmp_path)
    assert (second.revision, second.previous) == (2, first.digest)
    assert {path for path in was if path in now and now[path] != was[path]} == ROOT
    assert was.keys() <= now.keys()  # the older revision is kept
    others = {shard.path for shard in second.shards} - {shard.path for shard in first.shards}
    assert len(others) == 1
    added = {path for path in now.keys() - was.keys() if not path.startswith(f"revisions/{second.digest}/")}
    assert added == others
    assert sound(tmp_path)
    put(build, changed, tmp_path / "fresh")
    assert listed(tmp_path) == listed(tmp_path / "fresh")


def test_shards_are_not_even_made_anew(
    units: list[FinishedUnit], changed: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    loaded = []

    def watched(unit: FinishedUnit) -> FinishedUnit:
        def load() -> object:
            loaded.append(unit.unit)
            return unit.load()

        return FinishedUnit(**(vars(unit) | {"load": load}))

    out = open_store(str(tmp_path))
    build = make_build(**SMALL)
    assert publish_into(out, build, units).made == len(manifest_of(tmp_path).shards)
    assert publish_into(out, build, [watched(unit) for unit in changed]).made == 1
    assert units[1].unit in loaded
    assert len(loaded) < 4  # those that share its shard


def test_another_title_makes_no_shard(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    out = open_store(str(tmp_path))
    publish_into(out, make_build(**SMALL), units)
    assert publish_into(out, make_build(**SMALL, title="Another"), units).made == 0
    assert "# Another" in (tmp_path / "README.md").read_text()
    assert sound(tmp_path)


def test_publishing_the_same_again_is_no_revision(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    put(make_build(), units, tmp_path)
    was = on_disk(tmp_path)
    put(make_build(), units[::-1], tmp_path)
    assert on_disk(tmp_path) == was


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_as_many_older_revisions_are_kept_as_asked_for(
    keep: int, units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL, keep_revisions=keep)
    made = [put(build, units[start:], tmp_path) for start in range(4)]
    kept = made[3 - keep :]
    wanted = {entry.path for manifest in kept for entry in manifest.listed}
    archives = {f"revisions/{manifest.digest}/manifest.json" for manifest in kept}
    assert files(tmp_path) == wanted | archives | ROOT
    for manifest in kept:
        shutil.copytree(tmp_path, tmp_path / "old")  # what a reader has who opened it then
        for name in ROOT:
            shutil.copy(tmp_path / f"revisions/{manifest.digest}" / name, tmp_path / "old" / name)
        assert sound(tmp_path / "old")
        shutil.rmtree(tmp_path / "old")


def test_back_to_an_older_revision_and_on(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    build = make_build(**SMALL)
    first, second, third = (put(build, which, tmp_path) for which in (units, units[1:], units))
    assert (third.digest, third.previous, third.revision) == (first.digest, second.digest, 3)
    fourth = put(build, units[2:], tmp_path)
    assert fourth.previous == first.digest
    assert {path.name for path in (tmp_path / "revisions").iterdir()} == {first.digest, fourth.digest}


def disk_full() -> None:
    raise MachineError("cannot write to it: No space left on device")


@pytest.mark.parametrize(
    ("fail", "error", "after", "every"),
    [
        (kill, Killed, True, 3),
        pytest.param(kill, Killed, True, 1, marks=[pytest.mark.slow, pytest.mark.seldom]),
        pytest.param(disk_full, MachineError, False, 1, marks=pytest.mark.slow),
    ],
)
def test_at_whichever_change_a_revision_ends_readers_see_one_whole_dataset(
    fail: Callable[[], None],
    error: type[BaseException],
    after: bool,
    every: int,
    before: list[FinishedUnit],
    few: list[FinishedUnit],
    make_build: MakeBuild,
    tmp_path: Path,
) -> None:
    build = make_build(row_group_mb=0.03, keep_revisions=0)
    put(build, before, tmp_path / "before")
    put(build, before, tmp_path / "after")
    put(build, few, tmp_path / "after")
    old, new = (seen_by_manifest(open_store(str(tmp_path / name))) for name in ("before", "after"))
    assert old[0] == old[1] != new[0] == new[1]
    seen, changes, ended = set(), 0, True
    while ended:
        folder = tmp_path / str(changes)
        shutil.copytree(tmp_path / "before", folder)
        ended = False
        try:
            publish_into(Failing(folder, changes, fail, after=after), build, few)
        except error:
            ended = True
        store = open_store(str(folder))
        by_card, by_manifest = seen_by_card(store), seen_by_manifest(store)
        assert by_card in (old, new)
        assert by_manifest in (old, new)
        seen.add((by_card == new, by_manifest == new))
        assert verify(store) == []
        publish_into(store, build, few)
        assert tree(folder) == tree(tmp_path / "after")
        changes += every
    assert {(False, False), (True, True)} <= seen <= {(False, False), (True, False), (True, True)}
    assert every > 1 or (True, False) in seen
    assert changes > 15


def test_a_first_publish_that_is_killed_is_no_dataset_and_goes_on(
    few: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    put(build, few, tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    with pytest.raises(Killed):
        publish_into(Failing(folder, 3, kill), build, few)
    assert [str(fault) for fault in verify(open_store(str(folder)))] == [
        "manifest.json: publishing did not finish; publish again"
    ]
    shards = len(manifest_of(tmp_path / "whole").shards)
    assert publish_into(open_store(str(folder)), build, few).made == shards - 2
    assert tree(folder) == tree(tmp_path / "whole")


def test_what_a_killed_publish_left_goes_if_it_is_not_wanted(
    units: list[FinishedUnit], few: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL, keep_revisions=0)
    put(build, units, tmp_path)
    with pytest.raises(Killed):
        publish_into(Failing(tmp_path, 3, kill), build, few)
    (tmp_path / ".tmp" / "half").write_bytes(b"of a shard")
    assert sound(tmp_path)
    assert len(files(tmp_path)) > len(manifest_of(tmp_path).listed) + 3
    put(build, units[1:], tmp_path)
    wanted = {entry.path for entry in manifest_of(tmp_path).listed}
    archive = f"revisions/{manifest_of(tmp_path).digest}/manifest.json"
    assert files(tmp_path) == wanted | {archive} | ROOT
    assert [path.name for path in (tmp_path / ".tmp").iterdir()] == ["publish.lock"]


def test_a_damaged_leftover_is_made_anew(few: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    build = make_build(**SMALL)
    with pytest.raises(Killed):
        publish_into(Failing(tmp_path, 3, kill), build, few)
    left = sorted(tmp_path.glob("data/*/*.parquet"))
    for number, path in enumerate(left):
        path.write_bytes(b"" if number else path.read_bytes()[:-1] + b"?")
    publish_into(open_store(str(tmp_path)), build, few)
    assert sound(tmp_path)


def test_damaged_files_are_mended_once_they_are_removed(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    put(build, units[1:], tmp_path)
    put(build, units, tmp_path)
    whole = tree(tmp_path)
    for path in (*sorted(tmp_path.glob("data/train/*.parquet"))[:2], *tmp_path.glob("revisions/*/samples.parquet")):
        path.unlink()
    (tmp_path / "README.md").write_text("edited")
    put(build, units, tmp_path)
    assert listed(tmp_path).items() <= whole.items()
    assert manifest_of(tmp_path).revision == 2
    assert (tmp_path / f"revisions/{manifest_of(tmp_path).previous}").is_dir()
    assert sound(tmp_path)


def test_tables_of_a_damaged_revision_are_read_off_the_shards(
    units: list[FinishedUnit], changed: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    put(build, units, tmp_path)
    for number, path in enumerate(sorted(tmp_path.glob("revisions/*/*.parquet"))):
        data = bytearray(path.read_bytes())
        data[100:140] = bytes(40)
        path.write_bytes(data if number else b"")
    put(build, changed, tmp_path)
    put(build, changed, tmp_path / "fresh")
    assert listed(tmp_path) == listed(tmp_path / "fresh")


def test_files_of_others_stay_and_are_named(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    put(make_build(), units, tmp_path)
    for path in ("data/train/mine.parquet", "more.parquet", "notes.txt", ".gitattributes"):
        (tmp_path / path).write_bytes(b"")
    put(make_build(), units[1:], tmp_path)
    assert {"data/train/mine.parquet", "more.parquet", "notes.txt", ".gitattributes"} <= files(tmp_path)
    found = verify(open_store(str(tmp_path)))
    assert [fault.file for fault in found] == ["data/train/mine.parquet", "more.parquet"]


def test_who_comes_second_to_a_folder_waits(
    units: list[FinishedUnit],
    few: list[FinishedUnit],
    make_build: MakeBuild,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    build = make_build(**SMALL)
    second = threading.Thread(target=publish_into, args=(open_store(str(tmp_path)), build, few))
    with revisions.publishing_alone(open_store(str(tmp_path))) as alone:
        assert alone
        second.start()
        while "waiting until it is done" not in caplog.text:
            assert second.is_alive()
            time.sleep(0.01)
        assert files(tmp_path) == set()
    second.join()
    assert sound(tmp_path)


def test_who_waits_can_be_stopped(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    out = open_store(str(tmp_path))
    with revisions.publishing_alone(out):
        request_stop()
        try:
            with pytest.raises(BuildStopped), revisions.publishing_alone(out):
                pass
        finally:
            clear_stop()


def test_publishers_of_one_folder_at_once_end_in_one_sound_dataset(
    units: list[FinishedUnit], few: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    threads = [
        threading.Thread(target=publish_into, args=(open_store(str(tmp_path)), build, which))
        for which in (units, few, units, few)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sound(tmp_path)
    assert manifest_of(tmp_path).revision >= 2


class Bucket(Store):
    """A bucket in memory, whose clock can be set and in which something may happen before a change."""

    def __init__(self) -> None:
        super().__init__("memory://", MemoryStore(), None)
        self.waiting: tuple[int | str, Callable[[], object]] | None = None
        self.age = timedelta(0)

    def in_between(self, when: int | str, what: Callable[[], object]) -> None:
        """Have something done before the nth change, or before that of a path."""
        self.waiting = when, what

    def _before_change(self, path: str) -> None:
        if self.waiting is None:
            return
        when, what = self.waiting
        if when in (0, path):
            self.waiting = None
            what()
        elif isinstance(when, int):
            self.waiting = when - 1, what

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        for entry in super().entries(prefix):
            yield Entry(entry.path, entry.size, datetime.now(UTC) - self.age)

    def write(self, path: str, data: bytes) -> None:
        self._before_change(path)
        super().write(path, data)

    def adopt_new(self, temporary: Path, path: str) -> bool:
        self._before_change(path)
        return super().adopt_new(temporary, path)


@pytest.mark.slow
def test_two_publishers_to_a_bucket_do_not_break_each_other(
    before: list[FinishedUnit], few: list[FinishedUnit], make_build: MakeBuild
) -> None:
    """Before each change of the first one in turn, the second one publishes something else from start to end."""
    build = make_build(**SMALL, keep_revisions=0)
    alone = Bucket()
    publish_into(alone, build, before)
    old = seen_by_manifest(alone)
    publish_into(alone, build, few)
    new = seen_by_manifest(alone)
    alone = Bucket()
    publish_into(alone, build, few)
    unaware = seen_by_manifest(alone)  # its splits were drawn before it could know of the other's
    for changes in range(1_000):
        bucket = Bucket()
        bucket.in_between(changes, partial(publish_into, bucket, build, before))
        publish_into(bucket, build, few)
        assert verify(bucket) == []
        seen = seen_by_manifest(bucket)
        assert seen_by_card(bucket) == seen
        assert seen in (old, new, unaware)
        if bucket.waiting is not None:
            break
    assert changes > 8


def test_an_overtaken_publisher_says_so_and_mends_it(
    before: list[FinishedUnit], few: list[FinishedUnit], make_build: MakeBuild
) -> None:
    """A publisher so slow that its shards count for leftovers: another one's tidying takes them away."""
    build = make_build(**SMALL, keep_revisions=0)
    bucket = Bucket()
    bucket.age = timedelta(days=2)
    bucket.in_between("README.md", partial(publish_into, bucket, build, before))
    with pytest.raises(revisions.OvertakenError, match="went while it was published"):
        publish_into(bucket, build, few)
    publish_into(bucket, build, few)
    assert verify(bucket) == []


def test_in_a_bucket_what_is_not_listed_stays_for_a_day(
    before: list[FinishedUnit], few: list[FinishedUnit], units: list[FinishedUnit], make_build: MakeBuild
) -> None:
    build = make_build(**SMALL, keep_revisions=0)
    bucket = Bucket()
    for which in (before, few):
        publish_into(bucket, build, which)
    paths = {entry.path for entry in bucket.entries()}
    assert len(paths) > len(manifest_in(bucket)["shards"]) + 7
    bucket.age = timedelta(days=2)
    publish_into(bucket, build, few)  # nothing to do but this
    assert sum(entry.path.startswith("data/") for entry in bucket.entries()) == len(manifest_in(bucket)["shards"])
    assert verify(bucket) == []


def manifest_in(store: Store) -> dict[str, list[object]]:
    content: dict[str, list[object]] = json.loads(store.read("manifest.json"))
    return content


def test_a_newer_format_is_refused_in_one_line(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    put(make_build(), units, tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(content | {"format": "geoscribe-dataset-4", "new": 1}))
    was = tree(tmp_path)
    for attempt in (lambda: put(make_build(), units[1:], tmp_path), lambda: verify(open_store(str(tmp_path)))):
        with pytest.raises(
            ConfigError, match=r"manifest.json: found format 4; allowed: up to 3: this version"
        ) as error:
            attempt()
        assert len(error.value.problems) == 1
    assert tree(tmp_path) == was
