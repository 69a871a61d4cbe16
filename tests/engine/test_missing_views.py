"""Missing views: counted, allowed up to a share, required, and mended without touching anything else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.counts import ViewCounts
from pipeline.engine.workspace import read_state
from pipeline.errors import ConfigError, SiteError
from pipeline.sources.world import WorldAerialSource, WorldStreetSource
from pipeline.storage import open_store
from schemas.reasons import Reason
from schemas.records import ImageryRow
from tests.command import run_here
from tests.engine.test_growing import rows
from tests.publishing.folders import listed

WIDE = {"COLUMNS": "200"}


@contextmanager
def refusing(reason: Reason = Reason.REFUSED) -> Iterator[None]:
    """The aerial source refuses every chip."""

    def chip(*_: Any) -> Any:
        raise SiteError(reason, "status 403: not today")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorldAerialSource, "chip", chip)
        yield


def test_a_view_that_was_refused_is_seen_and_mended_and_nothing_else_is_fetched(
    small_build: Callable[..., Build],
    small_finished: Callable[..., Build],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = small_finished(tmp_path / "undisturbed")
    build = small_build(tmp_path / "disturbed")
    config = tmp_path / "disturbed" / "build.yaml"
    with refusing():
        tried = run_here("build", config, environment=WIDE)
    assert tried.returncode == 1
    assert "aerial missing at 12 sites: 12 refused" in tried.stdout
    assert "aerial is missing at 100.0% of the sites; limits.allowed_missing_share is 50.0%" in tried.stdout
    told = run_here("status", build.workspace, environment=WIDE).stdout
    assert "0 there; missing: 6 refused" in told
    assert "retry PLACE --missing VIEW" in told
    views = [s.counts.views for s in read_state(open_store(build.workspace)).stages if s.stage == "imagery"]
    assert [of["aerial"] for of in views] == [ViewCounts(0, {"refused": 6})] * 2
    assert [of["map"].there for of in views] == [6, 6]

    reads: list[object] = []
    monkeypatch.setattr(WorldStreetSource, "near", lambda *args: reads.append(args))
    other = run_here("retry", config, "--missing", "aerial", "--reason", "gone", environment=WIDE)
    assert (other.returncode, "tables made: none" in other.stdout) == (1, True)
    mended = run_here("retry", build.workspace, "--missing", "aerial", "--reason", "refused", environment=WIDE)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert reads == []
    assert "missing at" not in mended.stdout
    assert {i: rows(build, "imagery")[i] for i in rows(build, "imagery")} == rows(undisturbed, "imagery")
    paths = [path for path in listed(Path(build.dataset)) if path.startswith("data/")]
    assert paths == [path for path in listed(Path(undisturbed.dataset)) if path.startswith("data/")]


def test_an_outage_during_a_retry_costs_no_site(
    small_build: Callable[..., Build], small_finished: Callable[..., Build]
) -> None:
    build = small_build()
    with refusing():
        run_build(build)
    with refusing(Reason.UNREACHABLE):
        outcome = run_build(build, retry=frozenset({"refused"}), missing=frozenset({"aerial"}))
    assert outcome.failed == {}
    assert outcome.total.views["aerial"] == ViewCounts(0, {"unreachable": 12})
    assert small_finished is not None


def test_a_required_view_fails_the_site_and_comes_back_with_a_retry(
    small_build: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_build(imagery__require=["aerial"])
    with refusing():
        outcome = run_build(build, stages=("imagery",))
    assert outcome.failed == {"refused": 12}
    [(detail, _)] = outcome.total.details["refused"].counted
    assert detail == "aerial, which imagery.require names: status 403: not today"
    mended = run_build(build, retry=frozenset({"refused"}), missing=frozenset({"aerial"}))
    assert mended.failed == {}
    assert mended.total.views["aerial"].there == 12


def test_requiring_a_view_later_fetches_nothing_again(
    small_build: Callable[..., Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing():
        first = run_build(small_build())
    assert first.failed == {}
    monkeypatch.setattr(WorldStreetSource, "near", lambda *_: pytest.fail("asked again"))
    strict = small_build(imagery__require=["aerial"])
    outcome = run_build(strict, stages=("imagery",))
    assert outcome.failed == {"refused": 12}
    assert all(isinstance(row, ImageryRow) and row.views == [] for row in rows(strict, "imagery").values())


@pytest.mark.parametrize("require", [["drone"], ["aerial", "moon"]])
def test_views_that_cannot_be_required(small_build: Callable[..., Build], require: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"imagery\.require"):
        small_build(imagery__require=require)


@pytest.mark.parametrize("option", [("--missing", "moon"), ("--missing", "street"), ("--reason", "bad_luck")])
def test_what_cannot_be_retried_is_refused(small_finished: Callable[..., Build], option: tuple[str, str]) -> None:
    said = run_here("retry", small_finished().workspace, *option, environment=WIDE)
    assert said.returncode == 2
    assert option[0] in said.stderr
