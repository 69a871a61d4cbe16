"""A dialogue with the stand-in for the model, and what comes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.config.build import Build
from pipeline.errors import SiteError
from tests.captioning.model_standin import StandIn, serving, write_well
from tests.captioning.places import build_for

Captioner = Callable[..., DialogueCaptioner]


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving(write_well) as standin:
        yield standin


@pytest.fixture
def captioner(model: StandIn, tmp_path: Path) -> Captioner:
    def make(url: str = "", **dialogue: Any) -> DialogueCaptioner:
        return of(build_for([url or model.url], tmp_path / "w", **dialogue))

    return make


def of(build: Build) -> DialogueCaptioner:
    assert build.captioner.engine == "dialogue"
    return DialogueCaptioner(build.captioner, build)


def written(captioner: DialogueCaptioner, *places: Evidence) -> list[Description]:
    answers = captioner.describe(places)
    assert all(isinstance(answer, Description) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Description)]


def failed(captioner: DialogueCaptioner, *places: Evidence) -> SiteError:
    answer = captioner.describe(places)[0]
    assert isinstance(answer, SiteError), answer
    return answer
