"""Workspaces: of past formats and of later ones, copied, and beside others of the same name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.config.build import Build
from pipeline.engine.build import prepare, run_build
from pipeline.engine.build_file import load_build
from pipeline.engine.definition import FORMAT, check_copy, definition, workspace_id
from pipeline.engine.layers import FORMAT_KEY, LayerFile, commit_table, list_layers, read
from pipeline.engine.parts import Part
from pipeline.engine.workspace import garbage, read_state
from pipeline.errors import ConfigError, MachineError
from pipeline.publishing.owner import Publishing
from pipeline.storage import open_store
from tests.archives import unpack
from tests.command import run_here
from tests.engine.test_layers import as_format_2
from tests.publishing.folders import files, listed, manifest_of, tree
from tools.verify.verify import verify

FORMATS = Path(__file__).parent / "formats"
"""Workspaces as the versions of their time wrote them: two sites of the synthetic town."""


def opened(number: int, tmp_path: Path) -> Path:
    unpack(FORMATS / f"workspace-{number}.tar.xz", tmp_path)
    return tmp_path / "workspace"


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_workspaces_of_every_format_are_read_and_built_on(
    number: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = opened(number, tmp_path)
    state = read_state(open_store(str(workspace)))
    assert {s.stage: (s.done, s.counts.ok) for s in state.stages} == dict.fromkeys(
        ("imagery", "cues", "captions"), (2, 2)
    )
    assert caplog.text.count("is of an older format") == (number < FORMAT)
    file = tmp_path / "build.yaml"
    raw = yaml.safe_load(file.read_text())
    raw["publish"] = raw.get("publish", {}) | {"allow_empty": ["val", "test_seen"]}  # of two sites
    file.write_text(yaml.safe_dump(raw))
    outcome = run_build(load_build(file))
    assert (outcome.sites, outcome.failed) == (2, {})
    assert verify(open_store(str(tmp_path / "dataset"))) == []
    assert json.loads((workspace / "build.json").read_text())["format"] == f"geoscribe-workspace-{FORMAT}"
    assert caplog.text.count("is of an older format") == (number < FORMAT)


def test_what_an_earlier_version_made_is_not_made_again(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, stages = small_build(sampling__max_sites=2), ("sites", "imagery", "cues")
    with monkeypatch.context() as patch:
        as_format_2(patch)
        made = run_build(build, stages=stages).made
    before = {path for path in files(Path(build.workspace)) if path.endswith(".parquet")}
    assert made["imagery"] > 0
    assert not any(run_build(build, stages=stages).made.values())
    assert {path for path in files(Path(build.workspace)) if path.endswith(".parquet")} == before


@pytest.mark.parametrize("said", ["geoscribe-workspace-99", "something else"])
def test_a_workspace_of_a_later_format_is_refused_in_a_line(
    small_build: Callable[..., Build], said: str, tmp_path: Path
) -> None:
    build = small_build()
    run_build(build, stages=("sites",))
    file = tmp_path / "workspace" / "build.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": said}))
    with pytest.raises(ConfigError, match="older than what wrote the workspace") as refused:
        run_build(build)
    assert len(refused.value.problems) == 1
    with pytest.raises(ConfigError, match="older than what wrote the workspace"):
        read_state(open_store(build.workspace))


def test_a_record_whose_keys_are_unknown_asks_for_the_build_file(
    small_build: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_build()
    run_build(build, stages=("sites",))
    file = tmp_path / "workspace" / "build.json"
    raw = json.loads(file.read_text())
    raw["build"]["a_key_of_later"] = 1
    file.write_text(json.dumps(raw))
    with pytest.raises(ConfigError, match="whose build files were others"):
        definition(open_store(build.workspace))
    run_build(build, stages=("sites",))
    assert definition(open_store(build.workspace)).build.name == "small"


def test_a_table_of_a_later_format_stops_the_build(small_finished: Callable[..., Build]) -> None:
    store = open_store(small_finished().workspace)
    file = next(file for file in list_layers(store) if file.layer == "captions")
    table = read(store, file)
    store.delete(file.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.engine.layers.FORMAT", 99)
        later: LayerFile = commit_table(store, "captions", file.region, file.unit, file.recipe, table, {})
        assert read(store, later).schema.metadata[FORMAT_KEY] == b"99"
    with pytest.raises(MachineError, match="has format 99"):
        read(store, later)


def test_a_copied_workspace_is_retried_where_it_is_and_published_where_one_says(
    small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished(tmp_path / "first")
    before = tree(tmp_path / "first")
    shutil.copytree(tmp_path / "first" / "workspace", tmp_path / "second")
    for path in (tmp_path / "second" / "captions").rglob("*.parquet"):
        path.unlink()
    again = run_here("retry", tmp_path / "second", environment={})
    assert again.returncode == 0, again.stderr
    assert "nothing is published without --dataset" in again.stdout
    assert len(list((tmp_path / "second" / "captions").rglob("*.parquet"))) > 0
    assert "nothing is published without --dataset" in run_here("retry", tmp_path / "second", environment={}).stdout
    placed = run_here("retry", tmp_path / "second", "--dataset", tmp_path / "out", environment={})
    assert placed.returncode == 0, placed.stderr
    assert listed(tmp_path / "out") == listed(tmp_path / "first" / "dataset")
    assert tree(tmp_path / "first") == before


def test_a_renamed_build_goes_on_where_it_is(small_finished: Callable[..., Build], tmp_path: Path) -> None:
    small_finished(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    build = load_build(tmp_path / "second" / "build.yaml")
    assert not any(run_build(build).made.values())
    assert not (tmp_path / "first").exists()


def test_two_builds_of_one_name_do_not_overwrite_each_other(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    mine = small_finished(tmp_path / "mine")
    before = tree(Path(mine.dataset))
    theirs = small_build(tmp_path / "theirs", dataset=mine.dataset)
    with pytest.raises(ConfigError, match="which another workspace of a build called 'small' published"):
        run_build(theirs)
    assert not (tmp_path / "theirs" / "workspace" / "imagery").exists()
    assert tree(Path(mine.dataset)) == before
    run_build(theirs, publishing=Publishing(take_over=True))
    assert manifest_of(Path(mine.dataset)).workspace == workspace_id(open_store(theirs.workspace))
    refused = run_here("retry", tmp_path / "mine" / "build.yaml", environment={})
    assert refused.returncode == 2
    assert "another workspace" in refused.stderr
    assert run_here("retry", tmp_path / "mine" / "build.yaml", "--take-over", environment={}).returncode == 0
    assert manifest_of(Path(mine.dataset)).workspace == workspace_id(open_store(mine.workspace))


def test_a_copy_of_a_workspace_leaves_alone_what_the_workspace_publishes(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    first, publishes = small_finished(), Publishing()
    prepare(first, publishing=publishes)
    shutil.copytree(tmp_path / "workspace", tmp_path / "copy")
    copy = small_build(workspace="copy")
    with pytest.raises(ConfigError, match="is a copy of that workspace"):
        prepare(copy, publishing=publishes)
    prepare(small_build(workspace="copy", dataset="own"), publishing=publishes)
    with pytest.raises(ConfigError, match="is a copy of that workspace"):  # also when its record tells its own place
        prepare(copy, publishing=publishes)
    prepare(first, publishing=publishes)
    (tmp_path / "link").symlink_to(tmp_path / "workspace")
    prepare(small_build(workspace="link"), publishing=publishes)
    prepare(copy, publishing=Publishing(take_over=True))
    prepare(copy, publishing=publishes)


def test_a_copy_goes_on_where_a_workspace_is_gone_or_never_published(
    small_build: Callable[..., Build], tmp_path: Path
) -> None:
    run_build(small_build(), stages=("sites",))
    shutil.copytree(tmp_path / "workspace", tmp_path / "copy")
    copy = small_build(workspace="copy")
    prepare(copy, publishing=Publishing())  # such as on a larger disk
    with pytest.raises(ConfigError, match="is a copy of that workspace"):
        check_copy(open_store(copy.workspace), copy.dataset)
    shutil.rmtree(tmp_path / "workspace")
    check_copy(open_store(copy.workspace), copy.dataset)


def test_another_builds_dataset_is_refused_before_any_work(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    other = small_build(tmp_path, name="other", workspace="another-workspace")
    with pytest.raises(ConfigError, match="which holds the dataset of build 'small'"):
        run_build(other)
    assert not list((tmp_path / "another-workspace").rglob("*.parquet"))


def test_gc_says_what_it_would_remove(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    small_finished()
    run_build(small_build(imagery__jpeg_quality=60), stages=("imagery",))
    stale = garbage(open_store(str(tmp_path / "workspace")))
    assert stale
    receipt = tmp_path / "workspace" / "receipts" / "0123456789abcdef.json"  # of a publish that was killed
    receipt.parent.mkdir()
    receipt.write_text("{}")
    before = tree(tmp_path / "workspace")
    said = run_here("gc", tmp_path / "workspace", "--dry-run", environment={})
    assert said.returncode == 0
    assert f"{len(stale)} superseded tables" in said.stdout
    assert all(file.path in said.stdout for file, _ in stale)
    assert tree(tmp_path / "workspace") == before
    assert "1 receipts of a publish that was killed would be removed" in said.stdout
    done = run_here("gc", tmp_path / "workspace", environment={}).stdout
    assert f"{len(stale)} superseded tables removed" in done
    assert "1 receipts of a publish that was killed removed" in done
    assert not receipt.exists()


def test_gc_tells_tables_of_regions_that_were_left_out(small_build: Callable[..., Build], tmp_path: Path) -> None:
    run_build(small_build(), stages=("sites",))
    run_build(small_build(regions=[{"name": "north", "centre": [59.33, 18.06], "radius_m": 260}]), stages=("sites",))
    why = "; of regions that the build file no longer has: 1 of south"
    for command in (["status"], ["gc", "--dry-run"], ["gc"]):
        assert why in run_here(*command, tmp_path / "workspace", environment={"COLUMNS": "200"}).stdout


def test_a_mistaken_path_is_told_and_not_made(tmp_path: Path) -> None:
    takedown = tmp_path / "list.yaml"
    takedown.write_text("authors: [nobody]\n")
    for command in (["gc"], ["status"], ["verify"], ["publish", "--revise", takedown], ["retry", "--reason", "gone"]):
        said = run_here(*command, tmp_path / "nowhere", environment={})
        assert said.returncode == 2
        assert "nowhere, which is no folder" in said.stderr.replace("\n", "")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"name": ' * 100_000])
def test_a_record_or_manifest_nested_without_end_is_refused_in_a_line(content: str, tmp_path: Path) -> None:
    for name, command in (("build.json", "status"), ("manifest.json", "verify")):
        (tmp_path / name).write_text(content)
        said = run_here(command, tmp_path, environment={})
        assert said.returncode in {1, 2}
        assert "recursion" in said.stdout + said.stderr


def test_parts_of_two_build_files_do_not_share_a_workspace(small_build: Callable[..., Build], tmp_path: Path) -> None:
    build = small_build()
    run_build(build, part=Part(1, 2), stages=("imagery",))
    before = tree(tmp_path / "workspace")
    other = small_build(imagery__max_views=1)
    with pytest.raises(ConfigError, match="another build file than the workspace's, in imagery"):
        run_build(other, part=Part(2, 2))
    assert tree(tmp_path / "workspace") == before
    run_build(other, stages=("sites",))
    run_build(small_build(imagery__max_views=1, limits__workers=1), part=Part(2, 2), stages=("imagery",))
