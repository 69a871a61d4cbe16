"""What is wrong with a build file, a prompt set or a server is said before any place is given up for it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.errors import ConfigError, MachineError
from prompts import loader
from tests.captioning.model_standin import StandIn, refusal, serving, write_well
from tests.captioning.places import build_for, place


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving(write_well) as standin:
        yield standin


@pytest.fixture
def captioner(tmp_path: Path) -> Callable[..., DialogueCaptioner]:
    def make(*urls: str, **dialogue: Any) -> DialogueCaptioner:
        build = build_for(urls, tmp_path / "w", **dialogue)
        assert build.captioner.engine == "dialogue"
        return DialogueCaptioner(build.captioner, build)

    return make


Make = Callable[..., DialogueCaptioner]


def stops(captioner: DialogueCaptioner, match: str) -> None:
    with pytest.raises(MachineError, match=match):
        captioner.describe([place(), place("b")])


def test_no_server(captioner: Make) -> None:
    stops(captioner("http://127.0.0.1:9/v1"), "no model server answers.*geoscribe serve")


def test_one_server_of_two_is_enough(model: StandIn, captioner: Make) -> None:
    assert not isinstance(captioner("http://127.0.0.1:9/v1", model.url).describe([place()])[0], Exception)


def test_the_wrong_model(model: StandIn, captioner: Make) -> None:
    stops(captioner(model.url, model="qwen"), "serves stand-in, not 'qwen', as the build file has it")


def test_a_server_that_takes_less_than_the_build_reckons_with(model: StandIn, captioner: Make) -> None:
    model.models = [{"id": "stand-in", "max_model_len": 4_096}]
    stops(captioner(model.url), "takes 4096 tokens")


@pytest.mark.parametrize("models", ["no list", [1, 2], None])
def test_a_server_that_is_something_else(model: StandIn, captioner: Make, models: Any) -> None:
    if models is None:  # the page of a web server
        stops(captioner(model.url.replace("/v1", "")), "no OpenAI-compatible server")
    else:
        model.models = models
        stops(captioner(model.url), "no OpenAI-compatible server")


def test_a_server_that_answers_html_to_a_request(model: StandIn, captioner: Make) -> None:
    page = "<html><body>Please log in</body></html>"
    model.fault = lambda *_: web.Response(text=page, content_type="text/html")
    (answer,) = captioner(model.url, tries=2).describe([place(views=1)])
    assert isinstance(answer, Exception)
    assert "model_unreachable" in str(answer)
    assert "Please log in" in str(answer)


@pytest.mark.parametrize(
    ("message", "param", "match"),
    [
        ("stand-in is not a multimodal model", None, "takes no pictures"),
        ("At most 0 image(s) may be provided in one prompt.", "image", "takes no pictures"),
        ("At most 2 image(s) may be provided in one prompt.", "image", "fewer pictures than the build shows"),
        ('Grammar error: Unimplemented keys: ["uniqueItems"]', None, "refuses the reply schema of turn observe"),
    ],
)
def test_a_server_that_cannot_do_the_work(
    model: StandIn, captioner: Make, message: str, param: str | None, match: str
) -> None:
    model.fault = lambda *_: refusal(message, param)
    stops(captioner(model.url), match)


def test_a_picture_that_the_server_refuses_is_one_place_s_fault(model: StandIn, captioner: Make) -> None:
    model.fault = lambda _, seen: refusal("Failed to load image: Truncated File Read") if seen.pictures == 4 else None
    bad, good = captioner(model.url).describe([place(views=2), place("b", views=1)])
    assert getattr(bad, "reason", None) == "model_refused"
    assert not isinstance(good, Exception)


def test_a_missing_key_and_a_wrong_one(
    model: StandIn, captioner: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stops(captioner(model.url, key_env="MODEL_KEY"), "export MODEL_KEY")
    monkeypatch.setenv("MODEL_KEY", "s3cret-key-of-mine")
    model.fault = lambda *_: refusal("Unauthorized: Bearer s3cret-key-of-mine", None, 401)
    with pytest.raises(MachineError, match="refuses the key") as caught:
        captioner(model.url, key_env="MODEL_KEY").describe([place()])
    assert "s3cret" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("name", ["composer-en-1", "no-such-set"])
def test_a_prompt_set_that_is_none(captioner: Make, name: str) -> None:
    with pytest.raises(ConfigError, match=r"captioner\.prompt_set.*progressive-en-2|kind dialogue"):
        captioner("http://127.0.0.1:9/v1", prompt_set=name)


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("compose.jinja", "At most {{ longest_words }} words", "longest_words"),
        ("compose.jinja", "{% if false %}{{ neverr }}{% endif %}", "neverr"),
        ("ask.jinja", "{{ data }} {{ site }}", "site"),
        ("picture.jinja", "{{ kind.colour.name }}", "UndefinedError"),
        ("system.jinja", "{% if %}", "TemplateSyntaxError"),
        ("system.jinja", "{{ long_words | nosuchfilter }}", "TemplateAssertionError"),
    ],
)
def test_a_template_that_cannot_be_filled_in(
    captioner: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, found: str
) -> None:
    shutil.copytree(loader.FOLDER / "single-turn-en-2", tmp_path / "sets" / "single-turn-en-2")
    monkeypatch.setattr(loader, "FOLDER", tmp_path / "sets")
    (tmp_path / "sets" / "single-turn-en-2" / file).write_text(text)
    with pytest.raises(ConfigError, match=found) as caught:
        captioner("http://127.0.0.1:9/v1", prompt_set="single-turn-en-2")
    assert caught.value.problems[0].where == f"prompts/single-turn-en-2/{file}"
