"""A small dataset with panoramas, drone chips and missing views, and exports of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sample
from tools.dataset import open_dataset
from tools.export.base import Target, export
from tools.export.settings import format_of


@pytest.fixture(scope="session")
def varied(make_sample: Callable[..., Sample]) -> list[Sample]:
    """Twelve samples: every third has a panorama, number 4 lacks the aerial chip, number 5 has no date."""
    plain = make_sample(0)
    made = []
    for i in range(12):
        changes: dict[str, Any] = {
            "split": ("train", "train", "test")[i % 3],
            "region": ("old-town", "village-2")[i % 2],
            "sample_id": f"{('old-town', 'village-2')[i % 2]}-{i:06d}",
        }
        if i % 3 == 0:
            view = plain.street_view.model_copy(update={"projection": "equirectangular", "heading_deg": 359.7})
            changes |= {"panorama": plain.street, "panorama_view": view}
        if i == 4:
            changes |= {"aerial": None, "aerial_chip": None}
        if i == 5:
            changes |= {"street_view": plain.street_view.model_copy(update={"captured_at": None})}
        if i == 7:
            changes |= {"drone": plain.aerial, "drone_chip": plain.aerial_chip}
        made.append(make_sample(i, **changes))
    return made


@pytest.fixture(scope="session")
def dataset(varied: list[Sample], publish_samples: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_samples(tmp_path_factory.mktemp("varied"), varied)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder whose path has no underscore, which `tmp_path` would have."""
    return tmp_path_factory.mktemp("export")


Exported = Callable[..., Target]


@pytest.fixture
def exported(dataset: str, folder: Path) -> Exported:
    """A function that exports the dataset in a format: `exported("hf", split="test")`."""

    def write(form: str, where: str | None = None, **settings: Any) -> Target:
        return export(open_dataset(where or dataset), folder, format_of(form, settings))

    return write
