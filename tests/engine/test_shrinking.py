"""A dataset never shrinks by surprise."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.errors import ConfigError
from pipeline.publishing.decisions import Decisions, Rejected
from pipeline.publishing.owner import Publishing
from schemas.records import Sample
from tests.command import run_here
from tests.publishing.folders import manifest_of, tree
from tools.cli.tables import print_outcome
from tools.dataset import open_dataset


def rows(folder: Path) -> dict[str, int]:
    return {region: sum(by.values()) for region, by in manifest_of(folder).counts.regions.items()}


def test_few_units_are_not_published_over_many(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    before, had = tree(tmp_path / "dataset"), rows(tmp_path / "dataset")
    small_build(imagery__max_views=1, publish__allow_empty=[])  # a few rows would not fill the splits either
    tried = run_here("build", tmp_path / "build.yaml", "--limit-units", "1", environment={"COLUMNS": "300"})
    assert tried.returncode == 1, tried.stderr
    assert re.search(
        rf"north {had['north']} to [12]; south {had['south']} to 0; in all {sum(had.values())} to [12]", tried.stdout
    )
    assert "--allow-shrink" in tried.stdout
    assert tree(tmp_path / "dataset") == before
    small_build(imagery__max_views=1)
    meant = run_here("build", tmp_path / "build.yaml", "--limit-units", "1", "--allow-shrink", environment={})
    assert meant.returncode == 0, meant.stdout + meant.stderr
    assert 0 < sum(rows(tmp_path / "dataset").values()) < sum(had.values())


def test_a_trial_that_does_not_fill_the_splits_ends_with_what_it_did(
    small_build: Callable[..., Build], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = small_build(publish__allow_empty=[])
    outcome = run_build(build, limit_units=1)
    assert outcome.unfilled
    assert outcome.wanting
    assert not outcome.none_left
    assert not tree(tmp_path / "dataset")
    print_outcome(build, outcome)
    said = capsys.readouterr().out
    assert f"does not fill {', '.join(outcome.unfilled)}. Build the rest first" in said
    assert "imagery: " in said


def test_stages_left_out_do_not_empty_a_dataset(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    before = tree(tmp_path / "dataset")
    outcome = run_build(small_build(imagery__max_views=1), stages=("imagery", "publish"))
    assert outcome.shrinkage is not None
    assert outcome.unfinished > 0
    assert outcome.wanting
    assert outcome.shrinkage.total[1] == 0
    assert tree(tmp_path / "dataset") == before


def test_a_region_left_out_is_refused_before_any_work(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    before, had = tree(tmp_path), rows(tmp_path / "dataset")
    one = small_build(regions=[{"name": "north", "centre": [59.33, 18.06], "radius_m": 260}])
    with pytest.raises(ConfigError, match=rf"south {had['south']} to 0"):
        run_build(one)
    assert {path: mark for path, mark in tree(tmp_path).items() if path != "build.yaml"} == {
        path: mark for path, mark in before.items() if path != "build.yaml"
    }
    run_build(one, publishing=Publishing(allow_shrink=True))
    assert rows(tmp_path / "dataset") == {"north": had["north"]}


def test_what_people_withdraw_goes_without_being_allowed(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    first, second = sorted(samples_of(tmp_path / "dataset"))[:2]
    rejected = Rejected(sample_id=first, by="ann", reasons=["bad_image"], texts={})
    decisions = Decisions(dataset="small", revision="0" * 16, edited=[], rejected=[rejected])
    (tmp_path / "decisions.json").write_text(decisions.model_dump_json())
    outcome = run_build(small_build(publish__decisions="decisions.json"))
    assert outcome.shrinkage is None
    left = samples_of(tmp_path / "dataset")
    assert first not in left
    photo = left[second].street_view.source_id
    (tmp_path / "down.yaml").write_text(yaml.safe_dump({"source_ids": [photo]}))
    outcome = run_build(small_build(publish__decisions="decisions.json", publish__takedown="down.yaml"))
    assert outcome.shrinkage is None
    assert second not in samples_of(tmp_path / "dataset")


def samples_of(folder: Path) -> dict[str, Sample]:
    return {one.sample_id: one for one in open_dataset(str(folder)).stream()}


def test_verify_of_a_path_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run_here("verify", tmp_path / "nothing", environment={}).returncode == 2
