"""Which request meets which fault: pure, without a server."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigError
from tools.dev.standin import FAULTS, Fault, Kind, Match, Part, Plan, Provider, Rule
from tools.dev.standin.fault_rules import MOST_TRIES, Dealer, read_plan
from tools.dev.standin.faults import dealt

WIRE = [(provider, part) for provider in Provider for part in Part if part is not Part.ITEM]


def dealer(share: float = 0.5, seed: int = 1) -> Dealer:
    return Dealer(Plan(share=share), seed)


def ask(one: Dealer, identity: str, provider: Provider = Provider.PANORAMAX, part: Part = Part.PICTURE) -> Fault | None:
    return one.request(provider, part, f"/{identity}", identity)[0]


def test_every_fault_is_described_and_can_be_dealt_or_planned() -> None:
    assert set(FAULTS) == set(Fault)
    for about in FAULTS.values():
        assert about.dealt <= about.parts
        assert about.text
        assert (Part.ITEM in about.parts) == (about.parts == {Part.ITEM})
    for provider, part in WIRE:
        assert not any(FAULTS[fault].kind is Kind.FATAL for fault in dealt(provider, part))


def test_faults_do_not_depend_on_the_order() -> None:
    names = [f"picture {n}" for n in range(300)] * 3
    in_order, shuffled = dealer(), dealer()
    first: dict[str, list[Fault | None]] = {}
    second: dict[str, list[Fault | None]] = {}
    for name in names:
        first.setdefault(name, []).append(ask(in_order, name))
    random.Random(7).shuffle(names)
    for name in names:
        second.setdefault(name, []).append(ask(shuffled, name))
    assert first == second


def test_another_seed_deals_otherwise() -> None:
    one, other = ([ask(dealer(seed=seed), f"{n}") for n in range(200)] for seed in (1, 2))
    assert one != other


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_share_is_that_of_the_plan_and_faults_are_even(share: float) -> None:
    one = dealer(share)
    faults = Counter(ask(one, f"{n}") for n in range(4_000))
    assert 1 - faults[None] / 4_000 == pytest.approx(share, abs=0.03)
    known = dealt(Provider.PANORAMAX, Part.PICTURE)
    for fault in known if share else ():
        assert faults[fault] == pytest.approx(4_000 * share / len(known), rel=0.5)


@pytest.mark.parametrize(("provider", "part"), WIRE)
def test_transient_faults_pass_and_others_stay(provider: Provider, part: Part) -> None:
    one = dealer(1.0)
    for n in range(100):
        seen = [ask(one, f"{n}", provider, part) for _ in range(MOST_TRIES + 3)]
        if seen[0] is None:
            assert not dealt(provider, part)
        elif FAULTS[seen[0]].kind is Kind.TRANSIENT:
            assert seen[MOST_TRIES:] == [None] * 3
        else:
            assert len(set(seen)) == 1


def test_a_photo_s_fault_is_always_the_same() -> None:
    one, other = dealer(), dealer()
    for n in range(100):
        assert one.item(Provider.MAPILLARY, f"{n}") is other.item(Provider.MAPILLARY, f"{n}")
    found = {one.item(Provider.PANORAMAX, f"{n}") for n in range(500)}
    assert found == {None, *dealt(Provider.PANORAMAX, Part.ITEM)}


def test_the_first_rule_that_matches_counts() -> None:
    rules = [
        Rule(match=Match(provider=Provider.TILES, path="/tiles/a/*", tries=[2, 3]), fault=Fault.RESET),
        Rule(match=Match(part=Part.TILE, path="/tiles/*"), fault=Fault.GONE),
        Rule(match=Match(share=0.5), fault=Fault.HTML),
    ]
    one = Dealer(Plan(rules=rules), 1)
    tries = [one.request(Provider.TILES, Part.TILE, "/tiles/a/1", "a1") for _ in range(4)]
    assert tries == [(Fault.GONE, 1), (Fault.RESET, 2), (Fault.RESET, 3), (Fault.GONE, 4)]
    assert one.request(Provider.WMTS, Part.TILE, "/tiles/a/1", "other")[0] is Fault.GONE
    half = Counter(one.request(Provider.PANORAMAX, Part.LISTING, "/search", f"{n}")[0] for n in range(1_000))
    assert half[Fault.HTML] == pytest.approx(500, abs=60)
    assert set(half) == {None, Fault.HTML}


@pytest.mark.parametrize(
    "match", [{"part": "listing"}, {"provider": "tiles"}, {"share": 2}, {"tries": [0]}, {"nonsense": 1}]
)
def test_a_rule_that_could_never_match_is_refused(match: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({"match": match, "fault": "expired"})


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("rules:\n- match: {provider: overpass, tries: [1]}\n  fault: remark\nslow_s: 0.5\n")
    plan = read_plan(file)
    assert plan.rules[0].fault is Fault.REMARK
    assert plan.slow_s == 0.5
    file.write_text("rules:\n- fault: unheard_of\nshare: 3\n")
    with pytest.raises(ConfigError) as caught:
        read_plan(file)
    assert {problem.where.rpartition(": ")[2] for problem in caught.value.problems} == {"rules.0.fault", "share"}
