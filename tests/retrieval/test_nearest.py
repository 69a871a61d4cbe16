"""CVG-Text's 100-nearest protocol: ours against the definition, and the traps that were found in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from tests.retrieval import theirs
from tools.retrieval.embeddings import Floats32
from tools.retrieval.evaluate.nearest import Nearest, NearestFigures, nearest_protocol


def vectors(seed: int, n: int) -> Floats32:
    drawn = np.random.default_rng(seed).standard_normal((n, 12)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def paths(seed: int, n: int, spread: float = 0.02) -> list[str]:
    random = np.random.default_rng(seed)
    lat, lon = -27.47 + random.uniform(-spread, spread, n), 153.02 + random.uniform(-spread, spread, n)
    kinds = ["2023-05_AbC-d_e_d90_z2.png", "k17.png"]
    return [f"/data/V-satellite/{lat[i]:.8f},{lon[i]:.8f}_{kinds[i % 3 == 0]}" for i in range(n)]


def check(found: Nearest, wanted: dict[str, dict[str, float]]) -> None:
    blocks: dict[str, NearestFigures | None] = {
        "overall": found.overall, "panorama": found.panorama, "single view": found.single_view
    }  # fmt: skip
    assert {name for name, block in blocks.items() if block is not None} == set(wanted)
    for name, block in blocks.items():
        if block is not None:
            assert list(block.recall.values()) == [wanted[name][k] for k in ("R@1", "R@5", "R@10")]
            assert list(block.located.values()) == [wanted[name][k] for k in ("L@50", "L@100", "L@150")]
            assert block.deviation_km == pytest.approx(wanted[name]["deviation"], rel=1e-9)
            assert block.queries == wanted[name]["count"]


@settings(max_examples=12)
@given(st.integers(0, 1_000), st.integers(1, 130))
def test_figures_are_those_of_the_definition(seed: int, n: int) -> None:
    texts, chips, names = vectors(seed, n), vectors(seed + 1, n), paths(seed, n)
    chips += texts  # somewhat right, so that figures are neither 0 nor 1
    check(nearest_protocol(texts, chips, names), theirs.score(chips @ texts.T, names))


def test_two_chips_at_one_place_and_one_name_in_two_folders() -> None:
    names = [f"/a/V-sat/48.00000000,11.00000000_x{i}.png" for i in range(4)]
    names += [f"/a/{folder}/48.00100000,11.00000000_y.png" for folder in ("V", "V-photos")] * 2
    texts, chips = vectors(1, 8), vectors(2, 8)
    check(nearest_protocol(texts, chips, names), theirs.score(chips @ texts.T, names))


def test_random_vectors_are_at_chance_whatever_the_gallery() -> None:
    n = 2_000
    found = nearest_protocol(vectors(3, n), vectors(4, n), paths(5, n)).overall
    assert found.candidates == 100
    for k, value in found.recall.items():
        assert value == pytest.approx(k / 100, abs=4 * (k / 100 / n) ** 0.5)


def test_perfect_vectors_give_100() -> None:
    found = nearest_protocol(vectors(3, 250), vectors(3, 250), paths(5, 250))
    assert found.overall.recall == {1: 1.0, 5: 1.0, 10: 1.0}
    assert found.overall.deviation_km == 0
    assert found.overall.left_out == 0


def test_over_100_texts_at_one_coordinate_lose_their_own_chip_and_are_counted() -> None:
    names = [f"48.00000000,11.00000000_i{i}.png" for i in range(150)]
    found = nearest_protocol(vectors(6, 150), vectors(6, 150), names).overall
    assert found.recall[1] == pytest.approx(100 / 150)
    assert found.left_out == 50


@pytest.mark.parametrize("name", ["48.1, 11.5.png", "chip-7.png", "1e1;2.png"])
def test_a_name_without_a_position_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"LAT,LON"):
        nearest_protocol(vectors(0, 2), vectors(1, 2), ["48.1,11.5_a.png", name])
