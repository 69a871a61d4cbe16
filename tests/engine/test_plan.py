"""Plans: what they count, that they ask nobody, and what the whole catalogue takes."""

import copy
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import names
from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import Mapillary
from pipeline.engine.build_file import load_build, parse_build
from pipeline.engine.charges import unknown_providers
from pipeline.engine.cost import plan
from pipeline.engine.measuring import Measured, keep, kept, measure
from pipeline.engine.plans import Plan
from pipeline.engine.units import sample_region
from pipeline.errors import ConfigError
from pipeline.geo.point import Floats
from pipeline.net.base import Provider
from pipeline.registry import registry as registry_module
from tools.cli.console import time_words
from tools.cli.plan_table import print_plan

ROOT = Path(__file__).resolve().parents[2]

RAW: dict[str, Any] = {
    "name": "planned",
    "workspace": "w",
    "dataset": "d",
    "regions": [{"catalogue": "jp-tokyo"}, {"catalogue": "fj-lautoka"}],
    "sources": {"street": {"photos": {"type": "mapillary"}}, "map": {"plan": {"type": "world"}}},
    "sampling": {"method": "imagery", "max_sites": 50},
}


class Faraway:
    """A networked street source that must not be asked."""

    name, synthetic = "photos", False
    lists_by = "faraway"

    def __init__(self, name: str, _config: Mapillary, *_: Any) -> None:
        self.name = name

    def provider(self) -> Provider:
        return Provider("faraway", ("https://example.org",), per_s=2.0, at_once=1, per_day=1_000)

    def requests(self, lat: Floats, _: Floats, imagery: Imagery) -> int:
        return len(lat) * (1 + imagery.max_views)

    def listing_requests(self, _: Region) -> tuple[Provider, int]:
        return replace(self.provider(), name=self.lists_by, per_day=None), 70

    def fingerprint(self) -> str:
        return "faraway"

    def _asked(self, *_: Any) -> Any:
        raise AssertionError("a plan asks nobody")

    probe = candidates = near = read = _asked


@pytest.fixture(autouse=True)
def faraway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(names.STREET, "mapillary", f"{__name__}:Faraway")
    monkeypatch.setattr(registry_module, "_registries", {})


def build_of(tmp_path: Path, **changes: Any) -> Build:
    raw = copy.deepcopy(RAW)
    for key, value in changes.items():
        raw[key] = raw.get(key, {}) | value if isinstance(value, dict) else value
    return parse_build(raw, base=tmp_path)


def planned(tmp_path: Path, **changes: Any) -> Plan:
    return plan(build_of(tmp_path, **changes))


def test_sites_of_a_source_over_the_network_are_estimated_on_land(tmp_path: Path) -> None:
    found = planned(tmp_path)
    assert [(r.region, r.sites, r.estimated) for r in found.regions] == [
        ("jp-tokyo", 50, True),
        ("fj-lautoka", 50, True),
    ]
    assert all(1 < region.units <= 50 for region in found.regions)


def test_requests_days_and_bytes(tmp_path: Path) -> None:
    found = planned(tmp_path, assumptions={"photo_bytes": 1_000_000, "tile_bytes": 1_000})
    street, around = found.sources
    assert street.requests == 100 * (1 + 4) + 2 * 70  # what sites are drawn from is listed region by region
    assert street.bytes == 100 * 4 * 1_000_000 + (100 + 2 * 70) * 1_000
    assert (around.provider, around.requests, around.bytes) == (None, 0, 0)
    (asked,) = found.providers
    assert asked.days == pytest.approx(street.requests / 1_000)  # the day's limit is the narrower one
    assert found.days == asked.days


def test_lists_of_photos_count_with_whom_they_are_asked_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Faraway, "lists_by", "faraway-lists")
    listing, street, _ = planned(tmp_path).sources
    assert (listing.provider and listing.provider.name, listing.requests) == ("faraway-lists", 2 * 70)
    assert (street.provider and street.provider.name, street.requests) == ("faraway", 100 * (1 + 4))


@pytest.mark.parametrize(("sampling", "listed"), [({}, 0), ({"max_per_sequence": 3}, 70)])
def test_photos_are_listed_only_where_sites_depend_on_them(
    sampling: dict[str, Any], listed: int, tmp_path: Path
) -> None:
    found = planned(tmp_path, sampling={"method": "uniform"} | sampling, regions=[{"catalogue": "jp-tokyo"}])
    assert found.sources[0].requests == 50 * (1 + 4) + listed


def test_aerial_chips_are_planned_where_the_source_has_imagery(tmp_path: Path) -> None:
    regions = [{"catalogue": "fr-paris"}, {"catalogue": "ke-nairobi"}]
    sources = RAW["sources"] | {"aerial": {"above": {"type": "open", "presets": ["ign", "usgs"]}}}
    found = planned(tmp_path, sources=sources, regions=regions)
    assert [region.aerial for region in found.regions] == [50, 0]
    without = planned(tmp_path, regions=regions)
    assert [region.aerial for region in without.regions] == [0, 0]
    assert found.dataset_bytes - without.dataset_bytes == pytest.approx(50 * 512**2 * 0.22, rel=0.01)


def test_drone_chips_count_at_their_own_scale(tmp_path: Path) -> None:
    credits_ = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    above = {"type": "xyz", "template": "https://tiles.example.org/{z}/{x}/{y}", "max_zoom": 21, "credits": credits_}
    imagery = {"chips": {"gsd_m": 0.5, "drone_gsd_m": 0.1, "extra_sizes_m": [100.0], "size_px": 512}}
    sources = RAW["sources"] | {"aerial": {"above": above}, "drone": {"low": above}}
    found = {s.kind: s.requests for s in planned(tmp_path, sources=sources, imagery=imagery).sources}
    assert found["aerial"] > 50 * 2
    alone = planned(tmp_path, sources=RAW["sources"] | {"aerial": {"above": above}}, imagery={"chips": {"gsd_m": 0.1}})
    assert found["drone"] == next(s.requests for s in alone.sources if s.kind == "aerial")


def test_all_faults_of_all_sources_and_regions_are_told_at_once(tmp_path: Path) -> None:
    wrong = {"above": {"type": "xyz", "preset": "usg"}, "low": {"type": "open", "presets": ["nowhere"]}}
    sources = {"aerial": {"above": wrong["above"]}, "drone": {"low": wrong["low"]}}
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, sources=RAW["sources"] | sources)
    assert {"sources.aerial.above.preset", "sources.drone.low.presets"} <= {p.where for p in caught.value.problems}
    seas = [{"name": f"sea-{i}", "centre": [40.0, -40.0 + i], "radius_m": 2_000} for i in range(3)]
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, regions=[*seas, {"catalogue": "jp-tokyo"}], sampling={"method": "grid"})
    assert [problem.where for problem in caught.value.problems] == ["regions.0", "regions.1", "regions.2"]


def test_sources_of_one_provider_share_its_limits(tmp_path: Path) -> None:
    sources = {"street": {"one": {"type": "mapillary"}, "two": {"type": "mapillary"}}}
    regions = [{"catalogue": "jp-tokyo", "street": "one"}, {"catalogue": "fj-lautoka", "street": "two"}]
    found = planned(tmp_path, sources=sources, regions=regions)
    assert len(found.providers) == 1
    assert found.providers[0].requests == sum(source.requests for source in found.sources)


def test_assumptions_are_reckoned_with(tmp_path: Path) -> None:
    changed = {"street_share": 0.5, "ocr_images_per_s": 2, "model_calls_per_site": 3, "model_calls_per_gpu_s": 0.5}
    found = planned(tmp_path, sampling={"method": "uniform"}, assumptions=changed)
    assert not any(region.estimated for region in found.regions)
    assert found.views == 100 * 4 // 2
    assert found.ocr_gpu_hours == pytest.approx(200 / 2 / 3600)
    assert found.model_calls == 0  # the composer asks no model
    assert found.dialogue_calls == 50 * 3
    assert found.dialogue_gpu_hours == pytest.approx(150 / 0.5 / 3600)


@pytest.mark.parametrize(
    ("captioner", "imagery", "calls"),
    [
        ({"engine": "composer"}, {"max_views": 3}, 3 + 4 + 0.5 * 2),
        ({"engine": "dialogue", "model": "m", "max_views": 2}, {"max_views": 3}, 2 + 4 + 0.5 * 2),
        ({"engine": "dialogue", "model": "m", "prompt_set": "single-turn-en-2"}, {"max_views": 3}, 2),
    ],
)
def test_model_calls_are_the_turns_of_the_prompt_set(
    tmp_path: Path, captioner: dict[str, Any], imagery: dict[str, Any], calls: float
) -> None:
    found = planned(tmp_path, captioner=captioner, imagery=imagery, assumptions={"repair_share": 0.5})
    assert found.dialogue_calls == 100 * calls
    assert found.model_calls == (0 if captioner["engine"] == "composer" else found.dialogue_calls)


def test_hours_bytes_and_days_follow_from_what_was_measured(tmp_path: Path) -> None:
    build = build_of(tmp_path)
    measured = Measured({"imagery": 36.0, "cues": 72.0}, {"imagery": 1_000_000, "cues": 10_000}, 5, "here")
    assert plan(build).cpu_hours == {}
    found = plan(build, measured)
    assert found.cpu_hours == {"imagery": 1.0, "cues": 2.0}
    assert found.workspace_bytes == 100 * 1_010_000
    assert found.days_at(1000) == found.days, "the provider is the bottleneck then"
    slow = plan(build, replace(measured, cpu_s={"cues": 72_000.0}))
    assert slow.days_at(4) == pytest.approx(2000 / 4 / 24)


def test_money_follows_from_the_prices_of_the_file(tmp_path: Path) -> None:
    assert planned(tmp_path).money == {}
    prices = {
        "cpu_hour": 0.5, "gpu_hour": 2, "gb_month": 0.1, "million_prompt_tokens": 1.0, "million_completion_tokens": 4.0,
        "thousand_requests": {"faraway": 7.0, "nobody": 1.0},
    }  # fmt: skip
    assumed = {"prices": prices, "model_calls_per_site": 10, "model_calls_per_gpu_s": 1.0}
    tokens = {"prompt_tokens_per_call": 2_000, "completion_tokens_per_call": 500}
    build = build_of(tmp_path, assumptions=assumed | tokens, captioner={"engine": "dialogue", "model": "m"})
    found = plan(build, Measured({"cues": 36.0}, {"cues": 10_000_000}, 5, "here"))
    assert found.money["CPU"] == pytest.approx(0.5)
    assert found.money["GPU"] == pytest.approx(2 * 1000 / 3600)
    assert found.money["tokens"] == pytest.approx(1000 * (2_000 * 1.0 + 500 * 4.0) / 1e6)
    assert found.money["faraway"] == pytest.approx(found.providers[0].requests * 7.0 / 1000)
    assert found.money["storage for a month"] == pytest.approx((1e9 + found.dataset_bytes) / 1e9 * 0.1)
    assert set(found.money) == {"CPU", "GPU", "tokens", "faraway", "storage for a month"}


def test_a_price_of_a_provider_that_is_not_asked_is_told(tmp_path: Path) -> None:
    prices = {"thousand_requests": {"faraway": 7.0, "photos": 1.0, "http://model:8000/v1": 2.0}}
    build = build_of(tmp_path, assumptions={"prices": prices})
    (problem,) = unknown_providers(build, plan(build))
    assert (problem.found, problem.allowed) == ("photos, which is no provider of this build", "faraway")


def test_a_small_plan_is_told_in_units_that_are_no_zeros(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = build_of(tmp_path, assumptions={"prices": {"cpu_hour": 0.001}})
    measured = Measured({"imagery": 0.5, "cues": 2.0}, {"imagery": 1_000}, 5, "here")
    print_plan(build, plan(build, measured), measured, 4)
    said = capsys.readouterr().out
    for told in (
        r"faraway +2/s, 1,000/day +15\.4 h\n",
        r"CPU: +250 CPU seconds, by 5 sites on here\n",
        r"imagery +50 CPU seconds, 0\.50 s a site\n",
        r"time: +15\.4 h with 4 cores\n",
        r"cost: +less than 0\.01 USD \(CPU less than 0\.01\)",
    ):
        assert re.search(told, said), said
    print_plan(build, plan(build), None, 1)
    assert "unknown with 1 core until it is measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.2, "< 1 s"),
        (119, "119 s"),
        (1_222, "20.4 min"),
        (100_000, "27.8 h"),
        (258_750, "3.0 days"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


def test_sites_are_measured_and_the_figures_kept_for_builds_of_the_same_settings(tmp_path: Path) -> None:
    raw = {
        "regions": [{"name": "here", "centre": [52.3, 13.4], "radius_m": 200}],
        "sources": {kind: {"w": {"type": "world"}} for kind in ("street", "aerial", "map")},
        "sampling": {"max_sites": 2, "distractors": 3},
        "imagery": {"anonymiser": "none", "max_views": 1, "long_side_px": 256, "chips": {"size_px": 64}},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
        "network": {"cache": str(tmp_path / "cache")},
    }
    build = parse_build(copy.deepcopy(RAW) | raw, base=tmp_path)
    assert kept(build) is None
    found = measure(build, registry_module.registry_of(build))
    assert found.sites == 2
    assert set(found.cpu_s) == set(found.bytes) == {"imagery", "cues", "captions"}
    assert found.cpu_s["imagery"] > found.cpu_s["captions"] > 0, "it draws the pictures"
    assert found.bytes["imagery"] > 10_000
    assert not (tmp_path / "w").exists()
    file = keep(build, found)
    assert kept(build) == found
    assert kept(build.model_copy(update={"seed": 9, "workspace": "elsewhere"})) == found
    assert kept(build.model_copy(update={"imagery": build.imagery.model_copy(update={"max_views": 2})})) is None
    file.write_text("{")
    assert kept(build) is None
    model = Dialogue(engine="dialogue", model="m", endpoints=["http://127.0.0.1:9/v1"])
    assert set(measure(build.model_copy(update={"captioner": model}), registry_module.registry_of(build)).cpu_s) == {
        "imagery",
        "cues",
    }


def test_without_a_limit_a_site_a_square_is_planned(tmp_path: Path) -> None:
    found = planned(tmp_path, sampling={"max_sites": None, "spacing_m": 100}, regions=[{"catalogue": "fr-paris"}])
    radius = build_of(tmp_path, regions=[{"catalogue": "fr-paris"}]).regions[0].radius_m
    assert radius is not None
    assert found.sites == pytest.approx(3.1416 * radius**2 / 100**2, rel=0.03)
    wide = [{"name": "wide", "bbox": [0.0, 40.0, 10.0, 50.0]}]
    with pytest.raises(ConfigError, match=r"sampling\.max_sites"):
        planned(tmp_path, sampling={"max_sites": None}, regions=wide)


def test_an_island_that_the_land_mask_lacks_is_planned_all_the_same(tmp_path: Path) -> None:
    rockall = [{"name": "rockall", "centre": [57.596, -13.687], "radius_m": 500}]
    assert planned(tmp_path, sampling={"max_sites": 5}, regions=rockall).sites == 5


def test_sites_of_local_sources_are_those_of_the_build(tmp_path: Path) -> None:
    town = {"street": {"town": {"type": "world"}}, "map": {"plan": {"type": "world"}}}
    small = [{"name": "small", "centre": [48.85, 2.35], "radius_m": 300}]
    build = build_of(tmp_path, sources=town, regions=small)
    (region,) = plan(build).regions
    sites = sample_region(build, registry_module.registry_of(build), build.regions[0])
    assert (region.sites, region.units) == (len(sites), len({site.unit for site in sites}))
    assert not region.estimated


@pytest.mark.slow
@pytest.mark.seldom
def test_the_whole_catalogue_is_planned_within_a_gigabyte() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "MAPILLARY_TOKEN"} | {"COLUMNS": "120"}
    # The child tells its own peak: what the system tells of a child counts the parent that it was forked from.
    script = (
        "import sys; from pathlib import Path; from tools.cli.main import app;"
        "app(['plan', 'configs/world-225.yaml'], standalone_mode=False);"
        "print(Path('/proc/self/status').read_text(), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    said, peak = done.stdout, re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    assert peak is not None
    assert int(peak[1]) / 1024 < 1_000
    assert "1,035,000 sites in 225 regions" in said
    for part in ("estimated", "street mapillary", "aerial open", "map overture", "GPU hours", "photo_bytes"):
        assert part in said


def test_the_catalogue_s_build_file_is_sound() -> None:
    assert len(load_build(ROOT / "configs" / "world-225.yaml").regions) == 225
