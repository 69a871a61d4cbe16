import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.config.captioning import Grounding
from pipeline.geo.point import Point
from pipeline.imaging.types import Camera
from pipeline.perception.oracle import Truth
from schemas.records import Sample
from tests.tools.conftest import sentence
from tools.dataset import open_dataset
from tools.metrics.described import COLUMNS, described
from tools.metrics.truth import Truthful, against_truth, true_cues, world_sources
from tools.report import captions
from tools.report.captions import drawn_ids, measure

MakeSample = Callable[..., Sample]
Publish = Callable[..., str]
GOOD = ('A sign ahead reads "BAKERY".', "A green hedge stands here.")


def told(make_sample: MakeSample, number: int, *texts: str, **changes: object) -> Sample:
    """A sample with that description. Its sign `BAKERY` is ahead and large, its hedge green, its road 30 m east."""
    plain = make_sample(number)
    cues = [
        cue.model_copy(update={"area_share": 0.01, "bearing_deg": 45.0}) if cue.kind == "text" else cue
        for cue in plain.cues
    ]
    cites = {"BAKERY": "t1", "hedge": "o1", "road": "m1"}
    sentences = [sentence(text, *(cue_id for word, cue_id in cites.items() if word in text)) for text in texts]
    return plain.model_copy(update={"description": " ".join(texts), "sentences": sentences, "cues": cues, **changes})


def figure(found: captions.Captions, key: str, row: int = 0) -> tuple[float, int]:
    estimate = found.rows[row].figures[key]
    assert estimate is not None
    return estimate.value, estimate.of


def test_a_page_of_good_descriptions(tmp_path: Path, make_sample: MakeSample, publish_samples: Publish) -> None:
    samples = [told(make_sample, i, *GOOD) for i in range(8)]
    found = measure(open_dataset(publish_samples(tmp_path, samples)))
    assert [(row.region, row.split, row.drawn) for row in found.rows] == [("all", "", 8), ("town", "train", 8)]
    assert found.complete
    assert figure(found, "witnessed") == (1.0, 16)
    assert figure(found, "contradicted") == (0.0, 16)
    assert figure(found, "signs") == (1.0, 8)
    assert figure(found, "map_alone") == (0.0, 16)
    assert figure(found, "leaks") == (0.0, 8)
    assert figure(found, "duplicates") == figure(found, "openings") == (1.0, 8)
    assert figure(found, "self_bleu")[0] == pytest.approx(1.0)
    assert found.similarity is not None
    assert found.similarity.value == pytest.approx(1.0)
    assert found.openings == [("a sign ahead reads", 1.0)]
    assert found.groundedness.counts == {100: 8}
    assert found.truth_samples == 0


@pytest.mark.parametrize(
    ("spoilt", "moved"),
    [
        (GOOD[1:], {"signs"}),
        (('A sign behind me reads "BAKERY".', GOOD[1]), {"contradicted"}),
        ((*GOOD, "A road runs here.", "There is a road to the east."), {"map_alone"}),
        ((*GOOD, "This is in Copenhagen."), {"leaks"}),
    ],
)
def test_each_fault_moves_its_own_figure(
    tmp_path: Path, make_sample: MakeSample, publish_samples: Publish, spoilt: tuple[str, ...], moved: set[str]
) -> None:
    samples = [told(make_sample, i, *GOOD) for i in range(3)]
    bad = told(make_sample, 3, *spoilt, split="val")
    found = measure(open_dataset(publish_samples(tmp_path, [*samples, bad])))
    perfect = {"witnessed": 1.0, "contradicted": 0.0, "signs": 1.0, "map_alone": 0.0, "leaks": 0.0}
    seen = {key: row.value if (row := found.rows[2].figures[key]) else None for key in perfect}
    assert {key for key, value in seen.items() if value is not None and value != perfect[key]} == moved
    assert {key: figure(found, key, 1)[0] for key in perfect} == perfect


def test_a_claim_that_nobody_witnesses_counts_against_its_sample(
    tmp_path: Path, make_sample: MakeSample, publish_samples: Publish
) -> None:
    bad = told(make_sample, 1, *GOOD)
    alone = bad.sentences[0].claims[0].model_copy(update={"outcome": "not_witnessed", "witnesses": []})
    sentences = [bad.sentences[0].model_copy(update={"claims": [alone]}), bad.sentences[1]]
    samples = [told(make_sample, 0, *GOOD), bad.model_copy(update={"sentences": sentences})]
    found = measure(open_dataset(publish_samples(tmp_path, samples)))
    assert figure(found, "witnessed") == (0.75, 4)
    assert (found.ranked[0].sample_id, found.ranked[0].groundedness) == ("town-000001", 0.5)


def test_near_duplicates_count_across_splits(tmp_path: Path, make_sample: MakeSample, publish_samples: Publish) -> None:
    samples = [told(make_sample, 0, *GOOD), told(make_sample, 1, *GOOD, split="test")]
    other = told(make_sample, 2, "Nothing but a quiet footpath runs between tall hedges.", region="village")
    found = measure(open_dataset(publish_samples(tmp_path, [*samples, other])))
    assert {
        (row.region, row.split): row.figures["duplicates"].value for row in found.rows if row.figures["duplicates"]
    } == {
        ("all", ""): 2 / 3,
        ("town", "test"): 1.0,
        ("town", "train"): 1.0,
        ("village", "train"): 0.0,
    }


def test_a_language_that_cannot_be_judged_has_words_and_no_claims(
    tmp_path: Path, make_sample: MakeSample, publish_samples: Publish
) -> None:
    samples = [told(make_sample, i, "Un panneau devant moi.", language="fr") for i in range(2)]
    found = measure(open_dataset(publish_samples(tmp_path, samples)))
    assert found.unjudged == 2
    assert found.rows[0].figures["witnessed"] is None
    assert figure(found, "words") == (4.0, 2)
    assert found.ranked == []


def test_no_more_than_so_many_of_a_split_are_drawn_and_always_the_same(
    small_dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(small_dataset)
    few, more = drawn_ids(dataset, 1), drawn_ids(dataset, 2)
    assert few == drawn_ids(dataset, 1)
    assert few < more
    assert len(few) == 6  # three splits of two regions
    monkeypatch.setattr(captions, "MOST_OF_A_SPLIT", 1)
    monkeypatch.setattr(captions, "LEAST_OF_A_SPLIT", 1)
    found = measure(dataset)
    assert (found.rows[0].drawn, found.complete) == (6, False)


def test_directions_are_judged_by_the_truth_of_the_world(
    tmp_path: Path, make_sample: MakeSample, publish_samples: Publish
) -> None:
    region: JsonValue = {"name": "town", "centre": [52.0, 13.0], "radius_m": 500}
    config: dict[str, JsonValue] = {"regions": [region], "sources": {"street": {"world": {"type": "world", "seed": 4}}}}
    world = world_sources(config)["world"]
    size = (640, 480)
    for photo in world.near(Point(52.0, 13.0), 300.0):
        if photo.projection != "perspective" or photo.heading_deg is None or photo.hfov_deg is None:
            continue
        camera = Camera(photo.heading_deg, 0.0, photo.hfov_deg, *size)
        truth = Truth.model_validate_json(world.truth(photo, camera))
        long = [text for text in truth.texts if text.lasting and len(text.text) > 5]
        sign = next((t for t in long if max(t.polygon[::2]) < 240 or min(t.polygon[::2]) > 400), None)
        if sign is not None:
            break
    else:
        pytest.fail("no photo of the world has a sign to a side")
    view = make_sample().street_view.model_copy(
        update={
            "source": "world",
            "source_id": photo.source_id,
            "heading_deg": photo.heading_deg,
            "hfov_deg": photo.hfov_deg,
            "width": size[0],
            "height": size[1],
        }
    )
    side, other = ("left", "right") if max(sign.polygon[::2]) < 240 else ("right", "left")
    right, wrong = f'A sign ahead on the {side} reads "{sign.text}".', f'A sign on the {other} reads "{sign.text}".'
    samples = [
        told(make_sample, i, text, street_view=view, synthetic=True, cues=[]) for i, text in enumerate((right, wrong))
    ]
    where = publish_samples(tmp_path, samples)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"config": config}), encoding="utf-8")
    dataset = open_dataset(where)
    rows = [described(row) for row in dataset.rows(COLUMNS)]
    judged = [true for row in rows if (true := against_truth(row, {"world": world}, Grounding()))]
    assert judged == [Truthful(1, 1, 1, 1), Truthful(1, 1, 1, 0)]
    assert {cue.text for cue in true_cues(rows[0].evidence.site.views[0], world)} >= {sign.text}
    found = measure(dataset)
    assert found.truth_samples == 2
    assert found.true_directions is not None
    assert (found.true_directions.value, found.true_directions.of) == (0.5, 2)
    assert found.true_quotes is not None
    assert (found.true_quotes.value, found.true_quotes.of) == (1.0, 2)
