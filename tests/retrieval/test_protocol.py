"""Galleries, overlapping chips, strata, intervals and the self-test, on embeddings whose figures are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.geo.overlaps import find_overlaps, from_lists
from tests.retrieval.conftest import make_gallery
from tools.retrieval.embeddings import Embeddings, embeddings
from tools.retrieval.evaluate import protocol
from tools.retrieval.evaluate.figures import Measured
from tools.retrieval.evaluate.protocol import Gallery, evaluate
from tools.retrieval.evaluate.ranking import Ranks, rank
from tools.retrieval.evaluate.selftest import self_test
from tools.retrieval.evaluate.table import as_json, as_text


def drawn(ids: list[str], seed: int, width: int = 16) -> Embeddings:
    return embeddings(ids, np.random.default_rng(seed).standard_normal((len(ids), width)), "test")


def by_protocol(found: list[Measured]) -> dict[tuple[str, str], Measured]:
    return {(measured.protocol, measured.stratum): measured for measured in found}


def test_the_self_test_passes_on_every_kind_of_gallery(gallery: Gallery) -> None:
    for one in (gallery, make_gallery(30, spread=0.2)):
        trials = self_test(one)
        assert [trial.name for trial in trials] == ["constant", "random", "permuted", "perfect"]
        assert all(trial.sound for trial in trials)


def test_the_self_test_finds_an_evaluator_that_counts_ties_as_hits(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generous(*args: Any, **options: Any) -> Ranks:
        ranks = rank(*args, **options)
        tied = ranks.wrong == (len(gallery.ids) + 1) / 2
        return replace(ranks, wrong=np.where(tied, 1.0, ranks.wrong))

    monkeypatch.setattr(protocol, "rank", generous)
    assert [trial.name for trial in self_test(gallery) if not trial.sound] == ["constant"]


def test_each_gallery_says_its_size_and_its_chance(gallery: Gallery) -> None:
    found = by_protocol(evaluate(drawn(gallery.ids, 1), drawn(gallery.ids, 2), gallery))
    names = {protocol.split(";")[0] for protocol, _ in found}
    assert names == {"full gallery", "gallery without distractors", "thinned gallery"}
    full = found["full gallery; chips that overlap by over 25%: wrong answers", "all"]
    assert (full.queries, full.gallery, full["R@10"].chance) == (150, 200, 10 / 200)
    bare = found["gallery without distractors; chips that overlap by over 25%: wrong answers", "all"]
    assert (bare.queries, bare.gallery, bare["R@10"].chance) == (150, 150, 10 / 150)
    thin = found["thinned gallery; chips that overlap by over 25%: wrong answers", "all"]
    assert thin.gallery < 150
    assert thin["R@1"].chance == pytest.approx(1 / thin.gallery)
    for measured in found.values():
        for figure in measured.figures:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high


def test_overlapping_chips_count_as_stated(gallery: Gallery) -> None:
    """Each text looks most like an overlapping chip, where there is one, and next like its own."""
    chips = drawn(gallery.ids, 3, width=512)
    near = find_overlaps(gallery.chips, 0.25)
    vectors = chips.vectors.copy()
    twin = [near.of(row)[0] if len(near.of(row)) else row for row in range(len(gallery.ids))]
    queries = embeddings(gallery.ids, 0.5 * vectors + vectors[twin], "test")
    found = by_protocol(evaluate(queries, chips, gallery))
    share = np.mean([twin[row] == row for row in range(150)])
    prefix = "full gallery; chips that overlap by over 25%: "
    assert found[prefix + "wrong answers", "all"]["R@1"].value == pytest.approx(share)
    assert found[prefix + "left out", "all"]["R@1"].value == 1
    assert found[prefix + "right answers", "all"]["R@1"].value == 1
    assert found[prefix + "right answers", "all"]["R@1"].chance > found[prefix + "wrong answers", "all"]["R@1"].chance
    assert found[prefix + "wrong answers", "all"]["L@100"].value == 1  # what overlaps is near


def test_overlaps_that_the_dataset_states_are_believed(gallery: Gallery) -> None:
    none = from_lists([(np.empty(0, np.int64), np.empty(0))] * len(gallery.ids))
    stated = evaluate(drawn(gallery.ids, 1), drawn(gallery.ids, 2), replace(gallery, overlaps=none))
    assert {measured.protocol for measured in stated if measured.stratum == "all"} == {
        "full gallery; chips that overlap by over 25%: wrong answers",
        "gallery without distractors; chips that overlap by over 25%: wrong answers",
    }


def test_a_stratum_is_of_its_queries_alone(gallery: Gallery) -> None:
    chips = drawn(gallery.ids, 4)
    western = set(np.array(gallery.queries)[gallery.strata["western"]])
    right = embeddings(
        gallery.ids,
        np.where(np.array([i in western for i in gallery.ids])[:, None], chips.vectors, -chips.vectors),
        "test",
    )
    found = evaluate(right, chips, gallery)
    stratum = next(measured for measured in found if measured.stratum == "western")
    assert stratum.queries == len(western)
    assert stratum["R@1"].value == 1
    assert stratum.gallery == 200


def test_neighbours_are_resampled_together() -> None:
    """The same hits, once spread over the blocks and once all in half of them: the second says much less."""
    gallery = make_gallery(400, spread=0.2)
    chips = drawn(gallery.ids, 5)
    spread = np.random.default_rng(0).permutation(400) < 200
    together = np.isin(gallery.blocks, np.unique(gallery.blocks)[::2])
    widths = []
    for hit in (spread, together):
        queries = embeddings(gallery.ids, np.where(hit[:, None], chips.vectors, -chips.vectors), "test")
        figure = evaluate(queries, chips, gallery)[0]["R@1"]
        assert figure.value == pytest.approx(hit.mean())
        assert figure.low is not None
        assert figure.high is not None
        widths.append(figure.high - figure.low)
    assert widths[1] > 2 * widths[0]


def test_one_block_has_no_interval(gallery: Gallery) -> None:
    one = replace(gallery, blocks=np.full(150, "a"))
    found = evaluate(drawn(gallery.ids, 1), drawn(gallery.ids, 2), one)
    assert found[0]["R@1"].low is None
    assert "one block: no interval" in as_text(found)


def test_rows_in_another_order_change_nothing(gallery: Gallery) -> None:
    queries, chips = drawn(gallery.ids, 1), drawn(gallery.ids, 2)
    order = np.random.default_rng(7).permutation(len(gallery.ids))
    shuffled = Embeddings([chips.ids[i] for i in order], chips.vectors[order])
    assert as_json(evaluate(queries, shuffled, gallery)) == as_json(evaluate(queries, chips, gallery))


def test_what_cannot_be_evaluated_is_said(gallery: Gallery) -> None:
    queries, chips = drawn(gallery.ids, 1), drawn(gallery.ids, 2)
    with pytest.raises(ConfigError, match="vectors of 8 numbers beside queries of 16"):
        evaluate(queries, drawn(gallery.ids, 2, width=8), gallery)
    with pytest.raises(ConfigError, match="no vector for 1 of 200 samples \\(s00199\\)"):
        evaluate(queries, Embeddings(chips.ids[:-1], chips.vectors[:-1]), gallery)
    with pytest.raises(ConfigError, match="queries whose own chip is not in it, such as elsewhere"):
        evaluate(queries, chips, replace(gallery, queries=["elsewhere"], blocks=np.array(["a"]), strata={}))
    with pytest.raises(ConfigError, match="queries: found none"):
        evaluate(queries, chips, replace(gallery, queries=[], blocks=np.array([]), strata={}))
