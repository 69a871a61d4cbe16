from collections import Counter
from collections.abc import Callable
from pathlib import Path

from schemas.records import Sample
from tools.dataset import open_dataset
from tools.inspect.contact_sheet import contact_sheet, pick


def test_a_sheet_has_a_row_a_sample(make_sample: Callable[..., Sample]) -> None:
    one, three = contact_sheet([make_sample()]), contact_sheet([make_sample(i) for i in range(3)])
    assert one.width == three.width == 1600
    assert 2 * one.height < three.height < 3 * one.height + 80


def test_an_empty_sheet_says_so() -> None:
    assert contact_sheet([]).width == 1600


def test_missing_views_keep_their_place(make_sample: Callable[..., Sample]) -> None:
    bare = make_sample(aerial=None, aerial_chip=None, map=None, map_chip=None)
    assert abs(contact_sheet([bare]).height - contact_sheet([make_sample()]).height) < 40


def test_picks_are_spread_over_regions_and_splits_and_always_the_same(small_dataset: str) -> None:
    dataset = open_dataset(small_dataset)
    samples = pick(dataset, 6)
    assert samples == pick(dataset, 6)
    assert len({sample.sample_id for sample in samples}) == 6
    assert Counter(sample.region for sample in samples) == {"town": 3, "village": 3}
    assert Counter(sample.split for sample in samples) == {"train": 2, "val": 2, "test": 2}


def test_fewer_samples_than_asked_for_are_all_picked(small_dataset: str) -> None:
    dataset = open_dataset(small_dataset)
    everything = pick(dataset, 50)
    assert sorted(sample.sample_id for sample in everything) == sorted(
        row["sample_id"] for row in dataset.rows(["sample_id"])
    )
    assert pick(dataset, 0) == []


def test_the_order_of_rows_does_not_matter(
    tmp_path: Path, make_sample: Callable[..., Sample], publish_samples: Callable[..., str]
) -> None:
    samples = [make_sample(i) for i in range(20)]
    forth = publish_samples(tmp_path / "forth", samples)
    back = publish_samples(tmp_path / "back", samples[::-1])
    assert pick(open_dataset(forth), 5) == pick(open_dataset(back), 5)
