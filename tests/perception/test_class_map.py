"""The lists of classes that come with the product."""

import pytest

from pipeline.config.perception import ClosedSetModel
from pipeline.perception.class_map import class_labels
from pipeline.perception.vocabulary import parse, vocabulary


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("ade20k", 150, {0: "wall", 1: "building", 2: "sky", 11: "pavement", 43: "sign", 7: None, 149: "flag"}),
        ("cityscapes", 19, {0: "road", 1: "pavement", 7: "traffic sign", 9: "grass", 18: "bicycle"}),
        ("coco", 80, {0: "person", 2: "car", 11: "traffic sign", 13: "bench", 39: None, 79: None}),
    ],
)  # fmt: skip
def test_a_list_has_every_class_in_the_order_of_its_data_set(
    name: str, count: int, some: dict[int, str | None]
) -> None:
    spec = ClosedSetModel.model_validate({"classes": name})
    labels = class_labels(spec, vocabulary(), "spec")
    assert len(labels) == count
    assert {i: labels[i] for i in some} == some
    assert set(labels) <= {*vocabulary(), None}
    with_background = spec.model_copy(update={"background": True})
    assert class_labels(with_background, vocabulary(), "spec") == [None, *labels]


def test_a_vocabulary_with_fewer_classes_is_told_only_those() -> None:
    words = parse("lasting: [{one: sky}]\npassing: []", where="words.yaml")
    labels = class_labels(ClosedSetModel.model_validate({"classes": "cityscapes"}), words, "spec")
    assert [label for label in labels if label] == ["sky"]
