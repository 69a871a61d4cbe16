"""What real servers say in place of a reply is understood: whose fault it is, and what the user is told to change."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.captioning.dialogue.model_responses import (
    BrokenError,
    BusyError,
    LimitNameError,
    MissedError,
    SetUpError,
    read_answer,
)
from pipeline.captioning.dialogue.requests import RefusedError, TooLongError

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("server_errors.yaml").read_text())
CLASSES: dict[str, type[Exception]] = {
    "set-up": SetUpError,
    "too long": TooLongError,
    "refused": RefusedError,
    "busy": BusyError,
    "broken": BrokenError,
}
URL = "http://models.example/v1"


def body_of(case: dict[str, Any]) -> bytes:
    body = case["body"]
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def name(case: dict[str, Any]) -> str:
    return f"{case['server']} {case['status']} {case['means']}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_real_server_s_words(case: dict[str, Any]) -> None:
    with pytest.raises(LimitNameError if case.get("mended") else CLASSES[case["means"]]):
        read_answer(case["status"], body_of(case), 0.1, URL, "compose")
    with pytest.raises(CLASSES[case["means"]]) as caught:
        read_answer(case["status"], body_of(case), 0.1, URL, "compose", limit="max_completion_tokens")
    said = str(caught.value)
    assert len(said) < 700
    assert said.isprintable()
    if case["means"] == "set-up":
        assert said.startswith(f"{URL} ")
        assert f"(HTTP {case['status']}" in said
        assert said.rpartition("): ")[2]  # what to change


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("At most 1 image(s) may be provided in one request.", "captioner.max_views"),
        ("x is not a multimodal model", "vision-language model"),
        ("The model `x` does not exist.", "one that it serves"),
        ("you must provide a chat template", "--chat-template"),
        ("response_format is not supported", "geoscribe serve"),
        ("Unsupported value: 'temperature' does not support 0.4", "change it in captioner"),
        ("Incorrect API key provided", "set key_env in the build file"),
    ],
)
def test_the_message_says_what_to_change(message: str, change: str) -> None:
    flat = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
    for body in (flat, {"error": flat}, {"detail": message}, {"error": message}, message):
        with pytest.raises(SetUpError, match=change) as caught:
            read_answer(400, (body if isinstance(body, str) else json.dumps(body)).encode(), 0.1, URL, "compose")
        assert message in str(caught.value)


def test_a_picture_that_is_not_kept_is_told_apart() -> None:
    body = b'{"error": {"message": "Cache miss for image at index 0 but data is not provided.", "code": 400}}'
    with pytest.raises(MissedError):
        read_answer(400, body, 0.1, URL, "compose")


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"[]", b"null", b'"x"', b"3", b'{"error": []}', b'{"error": {"message": {"a": 1}}}',
     b'{"error": {"error": {"error": {"error": {"error": {"error": {"error": "deep"}}}}}}}', b"[" * 100_000,
     *(b'{"message": ' + b"[" * deep + b"]" * deep + b"}" for deep in (500, 900, 980)),
     b'{"detail": [{"loc": 3, "msg": null}]}', b'{"message": "\\ud800 half"}', b'{"error": {"code": 1e400}}',
     b'{"error": {"code": "\xc2\xb2\xc2\xb2\xc2\xb2", "message": "x"}}', b"<" * 10_000,
     b'{"a": "' + b"x" * 3_000_000 + b'"}'],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 500, 302, 418, 599])
def test_no_answer_is_too_odd(status: int, body: bytes) -> None:
    with pytest.raises(tuple(CLASSES.values())) as caught:
        read_answer(status, body, 0.1, URL, "compose")
    str(caught.value).encode()
    assert len(str(caught.value)) < 700


def test_the_server_s_words_cannot_look_like_ours() -> None:
    body = json.dumps({"error": {"message": "a\x1b[31m\nb " + "x" * 5_000, "param": None}}).encode()
    with pytest.raises(RefusedError) as caught:
        read_answer(400, body, 0.1, URL, "observe")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
