"""Distractors in a build: drawn apart, chips alone, no cue and no text of them, and planned for."""

import json
from collections.abc import Callable

import numpy as np

from pipeline.config.build import Build
from pipeline.config.running import Limits
from pipeline.engine.build import run_build
from pipeline.engine.cost import plan
from pipeline.engine.counts import Counts
from pipeline.engine.outcome import Outcome
from pipeline.engine.units import sample_region
from pipeline.publishing.distractors import split_of_file
from pipeline.registry.registry import registry_of
from schemas.records import ImageryRow
from tests.engine.test_growing import rows
from tools.dataset import open_dataset


def test_they_get_chips_alone(small_build: Callable[..., Build]) -> None:
    build = small_build(sampling__distractors=1.0, sampling__max_sites=2, imagery__chips={"gsd_m": 0.6, "size_px": 64})
    outcome = run_build(build)
    assert outcome.published is not None
    assert (outcome.sites, outcome.total.chips_only) == (8, 4)
    imagery = rows(build, "imagery")
    alone = {site for site, row in imagery.items() if row.status == "chips_only"}
    assert len(alone) == 4
    for site in alone:
        row = imagery[site]
        assert isinstance(row, ImageryRow)
        assert row.aerial is not None
        assert row.map is not None
        assert (row.views, row.facts, row.weight, row.reason) == ([], [], 0.0, None)
    assert rows(build, "cues").keys() == rows(build, "captions").keys() == imagery.keys() - alone
    manifest = open_dataset(build.dataset).manifest
    assert manifest.counts.sites == 4
    assert sum(manifest.counts.distractors.values()) == 4
    assert sum(count for split, count in manifest.counts.distractors.items() if split != "left_out") > 0
    assert any(split_of_file(entry.path) for entry in manifest.files)
    assert not any(run_build(build).made.values())


def test_they_make_no_failed_share_smaller() -> None:
    counts = {"imagery": Counts(6, {"no_street_view": 2}, chips_only=4)}
    outcome = Outcome(8, counts, {}, None, Limits(allowed_failed_share=0.4))
    assert (outcome.failed_share, outcome.too_many_failed) == (0.5, True)
    assert Counts.of(json.loads(counts["imagery"].as_json())) == counts["imagery"]


def test_sites_are_those_of_a_build_without(small_build: Callable[..., Build]) -> None:
    plain, more = small_build(), small_build(sampling__distractors=2.0)
    sites = [sample_region(build, registry_of(build), build.regions[0]) for build in (plain, more)]
    drawn = [[site for site in some if not site.distractor] for some in sites]
    assert drawn[0] == drawn[1] == sites[0]
    far = [site for site in sites[1] if site.distractor]
    assert len(far) == 2 * len(sites[0])
    assert len({(site.lat, site.lon) for site in sites[1]}) == len(sites[1])
    uniform = small_build(sampling__distractors=1.0, sampling__method="uniform")
    positions = np.array(
        [(site.lat, site.lon) for site in sample_region(uniform, registry_of(uniform), uniform.regions[0])]
    )
    assert len(np.unique(positions, axis=0)) == len(positions) == 12
    assert plan(more).sites == plan(plain).sites
