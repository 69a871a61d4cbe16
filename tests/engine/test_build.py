"""Builds of the small world from start to end, on the local runner."""

import hashlib
import itertools
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyproj import Geod

import pipeline.engine.work
import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config.build import Build
from pipeline.engine.build import Outcome, prepare, run_build
from pipeline.engine.layers import list_layers
from pipeline.engine.units import sample_region
from pipeline.engine.workspace import collect_garbage, read_state
from pipeline.errors import BuildStopped, ConfigError, MachineError, SiteError
from pipeline.registry import registry as registry_module
from pipeline.sources.world import WorldStreetSource
from pipeline.stages.cues import cues
from pipeline.stages.imagery import imagery
from pipeline.stopping import request_stop
from pipeline.storage import open_store
from prompts import loader
from schemas.reasons import Reason
from tests.drawn_once import drawn_anew
from tests.engine.disks import resize, small_disk
from tests.publishing.folders import listed, seen_by_card, seen_by_manifest
from tools.verify.verify import verify

__all__ = ["small_disk"]
NOTHING = {"imagery": 0, "cues": 0, "captions": 0, "publish": 0}


def shards(build: Build) -> dict[str, str]:
    """Digest of every published file, by its path."""
    return listed(Path(build.dataset))


def rows(build: Build) -> dict[str, dict[str, Any]]:
    """Every published sample by its id."""
    paths = [Path(build.dataset) / path for path in listed(Path(build.dataset)) if path.startswith("data/")]
    return {row["sample_id"]: row for path in paths for row in pq.read_table(path).to_pylist()}


def assert_mended(build: Build, before: dict[str, dict[str, Any]], undisturbed: Build) -> None:
    """The dataset is what it were without faults, but that what was published `before` has kept its split.

    Splits that are drawn of fewer sites may come out otherwise, and whoever trains on them relies on them. The embargo
    between them then leaves other sites out.
    """
    now, whole = rows(build), rows(undisturbed)
    assert {sample_id: now[sample_id]["split"] for sample_id in before} == {
        sample_id: row["split"] for sample_id, row in before.items()
    }
    assert len(now) > len(before)
    both = now.keys() & whole.keys()
    assert len(both) > len(before)
    assert [now[i] | {"split": ""} for i in sorted(both)] == [whole[i] | {"split": ""} for i in sorted(both)]
    assert verify(open_store(build.dataset)) == []


def made_stages(outcome: Outcome) -> set[str]:
    return {stage for stage, n in outcome.made.items() if n}


def test_a_build_ends_in_a_sound_dataset_and_a_second_one_does_nothing(small_build: Callable[..., Build]) -> None:
    build = small_build()
    first = run_build(build)
    assert first.sites == 12
    assert first.published is not None
    assert (
        first.published.counts.published
        + sum(first.published.counts.excluded.values())
        + sum(first.published.counts.failed.values())
        == first.sites
    )
    assert verify(open_store(build.dataset)) == []
    before = shards(build)
    second = run_build(build)
    assert second.made == NOTHING
    assert shards(build) == before


def test_the_same_build_elsewhere_gives_the_same_bytes(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    one, two = small_finished(tmp_path / "one"), small_build(tmp_path / "two", limits__workers=1)
    with drawn_anew():
        run_build(two)
    assert shards(one) == shards(two)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"captioner": {"engine": "composer", "short_tokens": 40}}, {"captions", "publish"}),
        ({"publish__shard_mb": 5.0}, {"publish"}),
        ({"publish__title": "Another"}, {"publish"}),
        ({"imagery__map_radius_m": 30.0}, {"imagery", "cues", "captions", "publish"}),
        ({"limits__workers": 3}, set()),
    ],
)
def test_a_changed_setting_runs_only_the_stages_below_it(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], change: dict[str, Any], expected: set[str]
) -> None:
    small_finished()
    assert made_stages(run_build(small_build(**change))) == expected


def test_a_changed_prompt_runs_captions_alone(
    small_finished: Callable[..., Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = small_finished()
    prompt_sets = tmp_path / "prompts"
    shutil.copytree(loader.FOLDER, prompt_sets)
    phrases = prompt_sets / "composer-en-1" / "phrases.yaml"
    phrases.write_text(phrases.read_text().replace("roughly", "very nearly"))
    monkeypatch.setattr(loader, "FOLDER", prompt_sets)
    monkeypatch.setattr(registry_module, "_registries", {})
    assert made_stages(run_build(build)) == {"captions", "publish"}


def test_more_sites_never_move_those_there_are(small_build: Callable[..., Build], tmp_path: Path) -> None:
    few, many = small_build(tmp_path / "few"), small_build(tmp_path / "many", sampling__max_sites=15)
    for region in few.regions:
        some = {(s.site_id, s.lat, s.lon) for s in sample_region(few, registry_module.registry_of(few), region)}
        more = {(s.site_id, s.lat, s.lon) for s in sample_region(many, registry_module.registry_of(many), region)}
        assert len(some) == 6
        assert some < more


def test_sites_keep_their_distance_and_weights_sum_to_the_candidates(small_build: Callable[..., Build]) -> None:
    build = small_build(sampling__max_sites=None)
    region = build.regions[0]
    sites = sample_region(build, registry_module.registry_of(build), region)
    geod = Geod(ellps="WGS84")
    for i, a in enumerate(sites):
        for b in sites[:i]:
            assert geod.inv(a.lon, a.lat, b.lon, b.lat)[2] >= 59.9
    candidates = sum(1 for _ in registry_module.registry_of(build).street(region.name).candidates(region))
    assert sum(s.weight for s in sites) == pytest.approx(candidates, rel=1e-3)


def test_stages_and_units_can_be_limited(small_build: Callable[..., Build]) -> None:
    build = small_build()
    assert run_build(build, stages=("imagery",), limit_units=2).made == NOTHING | {"imagery": 2}
    assert run_build(build, stages=("captions",)).made == NOTHING
    outcome = run_build(build, stages=("cues",))
    assert outcome.made == NOTHING | {"cues": 2}
    assert made_stages(run_build(build)) == {"imagery", "cues", "captions", "publish"}


@contextmanager
def failing_photos(share: int, reason: Reason) -> Iterator[None]:
    """The photos at every `share`-th place cannot be read."""
    whole = WorldStreetSource.read

    def read(self: WorldStreetSource, photo: Any) -> bytes:
        if int(hashlib.sha256(photo.source_id.rsplit("/", 1)[0].encode()).hexdigest(), 16) % share == 0:
            raise SiteError(reason, f"{photo.source_id} is not there today")
        return whole(self, photo)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorldStreetSource, "read", read)
        yield


def test_failed_sites_are_rows_and_retry_mends_just_them(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    undisturbed = small_finished(tmp_path / "undisturbed", imagery__search_radius_m=1.0)
    build = small_build(tmp_path / "disturbed", imagery__search_radius_m=1.0)
    with failing_photos(3, Reason.READ_FAILED):
        outcome = run_build(build)
    failed = outcome.failed["read_failed"]
    assert 0 < failed < outcome.sites
    state = read_state(open_store(build.workspace))
    assert sum(s.counts.failed.get("read_failed", 0) for s in state.stages) == failed
    assert outcome.published is not None
    assert outcome.published.counts.failed == {"read_failed": failed}
    before = rows(build)

    assert run_build(build, retry=frozenset({"too_dark"})).made == NOTHING
    mended = run_build(build, retry=frozenset({"read_failed"}))
    assert mended.failed == {}
    assert mended.made["imagery"] > 0
    assert_mended(build, before, undisturbed)


def test_where_every_site_fails_nothing_is_published_and_the_commonest_details_are_told(
    small_build: Callable[..., Build],
) -> None:
    gates = {"imagery__quality__min_sharpness": 1e9}
    outcome = run_build(small_build(**gates))
    assert outcome.failed == {"too_blurred": outcome.sites}
    assert outcome.published is None
    assert outcome.made == outcome.made | {"publish": 0}
    assert outcome.too_many_failed
    assert outcome.none_left
    ((detail, sites),) = outcome.total.details["too_blurred"].counted
    assert (detail[:10], sites) == ("sharpness ", outcome.sites)
    again = run_build(small_build(**gates))
    assert again.made == NOTHING
    assert (again.none_left, again.total) == (True, outcome.total)


def test_a_revision_of_which_every_site_fails_leaves_the_dataset_as_it_was(
    small_build: Callable[..., Build], small_finished: Callable[..., Build]
) -> None:
    build = small_finished()
    before = shards(build)
    outcome = run_build(small_build(imagery__quality__min_sharpness=1e9, limits__allowed_failed_share=1.0))
    assert outcome.published is None
    assert outcome.too_many_failed
    assert shards(build) == before
    assert verify(open_store(build.dataset)) == []
    assert run_build(build).made == NOTHING


def test_the_commonest_detail_is_that_of_most_sites(small_build: Callable[..., Build]) -> None:
    def read(_: WorldStreetSource, photo: Any) -> bytes:
        nth = int(hashlib.sha256(photo.source_id.encode()).hexdigest(), 16) % 4
        raise SiteError(Reason.READ_FAILED, "the disk hums" if nth else f"photo {photo.source_id} is torn")

    build = small_build(imagery__search_radius_m=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorldStreetSource, "read", read)
        outcome = run_build(build)
    (detail, sites), *_ = outcome.total.details["read_failed"].counted
    assert detail.endswith("the disk hums")
    assert 1 < sites < outcome.failed["read_failed"] == outcome.sites


def test_a_retry_that_meets_a_damaged_table_makes_it_again(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    undisturbed = small_finished(tmp_path / "undisturbed", imagery__search_radius_m=1.0)
    build = small_build(tmp_path / "disturbed", imagery__search_radius_m=1.0)
    with failing_photos(3, Reason.READ_FAILED):
        run_build(build)
    before = rows(build)
    state = read_state(open_store(build.workspace))
    file = min(file for file, counts in state.counts.items() if counts.failed)
    path = Path(build.workspace) / file.path
    path.write_bytes(_flipped(path.read_bytes()))
    assert run_build(build, retry=frozenset({"read_failed"})).failed == {}
    assert_mended(build, before, undisturbed)


def test_cues_are_made_again_only_where_pictures_changed(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_finished(imagery__search_radius_m=1.0)
    read: list[str] = []

    def reading(sites: Any, *rest: Any) -> Any:
        read.extend(site.site_id for site in sites)
        return cues(sites, *rest)

    monkeypatch.setattr(pipeline.stages.cues, "cues", reading)
    with failing_photos(5, Reason.READ_FAILED):
        # A search radius that finds the same photos: every unit's imagery is made again, most with the same result.
        outcome = run_build(small_build(imagery__search_radius_m=1.5))
    assert outcome.made["imagery"] > 0
    # Of a site with another photo at hand the pictures are others.
    assert len(set(read)) < outcome.counts["imagery"].ok


@pytest.mark.parametrize("layer", ["imagery", "cues", "captions", "sites"])
@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_table_is_named_and_made_again(
    small_finished: Callable[..., Build], layer: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    build = small_finished()
    before = shards(build)
    file = min(f for f in list_layers(open_store(build.workspace)) if f.layer == layer)
    path = Path(build.workspace) / file.path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "truncate" else _flipped(whole))
    if damage == "truncate":
        assert [f.path for f in read_state(open_store(build.workspace)).damaged] == [file.path]
    shutil.rmtree(build.dataset)  # so that the tables are needed again
    if layer == "sites":
        Path(
            build.workspace, next(f.path for f in list_layers(open_store(build.workspace)) if f.layer == "imagery")
        ).unlink()
        pipeline.engine.work._region_sites.cache_clear()
    run_build(build)
    assert file.path in caplog.text
    assert path.read_bytes() == whole
    assert shards(build) == before


@pytest.mark.parametrize("layer", ["imagery", "cues", "captions"])
def test_a_truncated_table_is_made_again_even_where_nothing_else_is_to_do(
    small_finished: Callable[..., Build], layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    build = small_finished(sampling__max_sites=4)
    file = min(f for f in list_layers(open_store(build.workspace)) if f.layer == layer)
    path = Path(build.workspace) / file.path
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert run_build(build).made == NOTHING | {layer: 1}
    assert file.path in caplog.text
    assert path.read_bytes() == whole


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def test_a_dataset_that_lost_a_shard_is_published_again(small_finished: Callable[..., Build]) -> None:
    build = small_finished()
    before = shards(build)
    (Path(build.dataset) / next(path for path in before if path.startswith("data/"))).unlink()
    assert run_build(build).made == NOTHING | {"publish": 1}
    assert shards(build) == before


def test_two_builds_at_once_do_no_harm(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    alone = small_finished(tmp_path / "alone")
    build = small_build(tmp_path / "shared")
    threads = [
        threading.Thread(target=run_build, args=(build,), kwargs={"stages": ("imagery", "cues", "captions")})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_build(build)
    assert shards(build) == shards(alone)
    ids = [
        i
        for path in shards(build)
        if path.startswith("data/")
        for i in pq.read_table(Path(build.dataset, path), columns=["sample_id"])["sample_id"].to_pylist()
    ]
    assert len(ids) == len(set(ids)) > 0


def test_what_an_earlier_configuration_left_is_stale_and_swept(
    small_build: Callable[..., Build], small_finished: Callable[..., Build]
) -> None:
    small_finished()
    build = small_build(captioner={"engine": "composer", "short_tokens": 40})
    run_build(build)
    store = open_store(build.workspace)
    stale = read_state(store).stale
    assert {file.layer for file in stale} == {"captions"}
    assert collect_garbage(store) == stale
    assert read_state(store).stale == []
    assert run_build(build).made == NOTHING


def test_another_builds_workspace_is_refused(small_build: Callable[..., Build]) -> None:
    build = small_build()
    run_build(build, stages=("imagery",), limit_units=1)
    with pytest.raises(ConfigError, match="belongs to the build 'small'"):
        run_build(build.model_copy(update={"name": "other"}))
    with pytest.raises(ConfigError, match=r"no build\.json"):
        read_state(open_store(build.dataset))


def test_another_builds_dataset_is_refused(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_finished()
    other = small_build(tmp_path, name="other", workspace="another-workspace")
    with pytest.raises(ConfigError):
        run_build(other)
    assert verify(open_store(build.dataset)) == []


def test_a_region_without_photos_is_refused_before_any_work(small_build: Callable[..., Build]) -> None:
    build = small_build()
    tiny = replace_region(build, radius_m=0.001)
    with pytest.raises(ConfigError, match=r"regions\.0: found no photo of the street source town within north"):
        run_build(tiny)
    assert [f for f in list_layers(open_store(build.workspace)) if f.layer != "sites"] == []


def replace_region(build: Build, **changes: Any) -> Build:
    return build.model_copy(update={"regions": [build.regions[0].model_copy(update=changes), *build.regions[1:]]})


def test_a_stop_keeps_what_is_done(small_build: Callable[..., Build]) -> None:
    build = small_build()
    taken_up, stop_asked = itertools.count(), threading.Event()

    def stop_after_the_first(progress: Any) -> None:
        if any(stage.units_done for (_, name), stage in progress.items() if name == "imagery"):
            request_stop()
            stop_asked.set()

    def held(*args: Any) -> Any:
        """The first unit goes through, the others wait for the stop."""
        if next(taken_up):
            stop_asked.wait()
        return imagery(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.stages.imagery, "imagery", held)
        with pytest.raises(BuildStopped):
            run_build(build, report=stop_after_the_first)
    kept = [f for f in list_layers(open_store(build.workspace)) if f.layer == "imagery"]
    assert kept
    outcome = run_build(build)
    assert outcome.made["imagery"] + len(kept) == len(prepare(build).survey(list_layers(open_store(build.workspace))))


def test_a_fault_of_the_machine_stops_the_build_with_its_message(small_build: Callable[..., Build]) -> None:
    def broken(*_: Any) -> Any:
        raise MachineError("the engine is not installed: pip install engine")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.stages.cues, "cues", broken)
        with pytest.raises(MachineError, match=r"^the engine is not installed: pip install engine$"):
            run_build(small_build())


def test_a_full_disk_is_a_clear_message_and_nothing_half_written(
    small_build: Callable[..., Build], small_disk: Path, tmp_path: Path
) -> None:
    build = small_build(workspace=str(small_disk / "workspace"))
    with pytest.raises(MachineError, match="No space left on device"):
        run_build(build)
    assert not Path(build.dataset, "manifest.json").exists()
    # With room again, the build goes on from what is there, and all that is there is whole.
    roomy = small_build(workspace=str(tmp_path / "roomy"))
    subprocess.run(["cp", "-r", small_disk / "workspace", tmp_path / "roomy"], check=True)
    run_build(roomy)
    assert verify(open_store(roomy.dataset)) == []


@pytest.mark.slow
@pytest.mark.seldom
def test_a_dataset_on_a_full_disk_is_never_half_published(small_build: Callable[..., Build], small_disk: Path) -> None:
    build = small_build(dataset=str(small_disk / "dataset"), imagery__chips__size_px=512)
    with pytest.raises(MachineError, match="No space left on device"):
        run_build(build)
    assert verify(open_store(build.dataset)) != []


def test_a_revision_on_a_full_disk_leaves_the_dataset_as_it_was(
    small_build: Callable[..., Build], small_disk: Path
) -> None:
    resize(small_disk, "16m")
    place, store = small_disk / "dataset", open_store(str(small_disk / "dataset"))
    run_build(small_build(dataset=str(place)))
    before, seen = listed(place), seen_by_card(store)
    (small_disk / "filler").write_bytes(bytes(free_bytes(small_disk) - 150_000))
    revised = small_build(dataset=str(place), publish__row_group_mb=0.01, publish__keep_revisions=0)
    with pytest.raises(MachineError, match="No space left on device"):
        run_build(revised)
    assert listed(place) == before
    assert seen_by_card(store) == seen_by_manifest(store) == seen
    assert verify(store) == []
    (small_disk / "filler").unlink()
    run_build(revised)
    assert verify(store) == []
    assert not listed(place).keys() & before.keys()


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def test_a_read_only_workspace_is_refused(small_build: Callable[..., Build], small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(ConfigError, match=r"workspace: found .*Read-only file system"):
        run_build(small_build(workspace=str(small_disk / "workspace")))
