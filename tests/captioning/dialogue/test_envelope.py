"""The envelope of a reply is read as real servers write it, and the answer is found in what models put around it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.captioning.dialogue.envelope import Envelope, NoEnvelopeError, ending, parse, read_envelope
from pipeline.captioning.dialogue.model_responses import BrokenError, read_answer
from pipeline.captioning.dialogue.objections import read_objection
from pipeline.captioning.dialogue.reply_text import answer_in
from pipeline.captioning.dialogue.requests import Reply

ANSWER: dict[str, Any] = {"faults": [{"why": "a { brace } and </think> in it", "n": 1}]}
TEXT = json.dumps(ANSWER)


def completion(message: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}


def read(raw: Any) -> Envelope:
    return read_envelope(parse(json.dumps(raw).encode()))


def reply(body: bytes) -> Reply:
    return read_answer(200, body, 0.5, "http://x/v1", "verify")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": TEXT},
        {"content": TEXT, "reasoning_content": "I see a {house}.", "refusal": None},
        {"content": None, "reasoning_content": TEXT},
        {"content": "", "reasoning": TEXT, "tool_calls": []},
        {"content": " \n", "reasoning_content": None, "reasoning": TEXT},
        {"reasoning_content": TEXT},
        {"content": [{"type": "text", "text": TEXT}]},
        {"content": [{"type": "text", "text": TEXT[:9]}, {"type": "output_text", "text": TEXT[9:]}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "{"}]},
                {"type": "text", "text": TEXT},
            ]
        },
        {"content": [{"type": "reasoning", "text": "{"}, {"text": TEXT}]},
        {"content": [TEXT]},
        {"content": {"type": "text", "text": TEXT}},
        {"content": [[{"type": "text", "text": TEXT}]]},
        {"content": [{"type": "text", "text": {"value": TEXT, "annotations": []}}]},
        {"content": [None, 5, {"type": "text", "text": TEXT}, {"type": "image_url", "image_url": {"url": "data:"}}]},
    ],
)
def test_the_text_is_found_wherever_a_server_puts_it(message: Any) -> None:
    assert answer_in(read(completion(message)).text) == ANSWER


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "whole"), ("eos_token", "whole"), ("STOP", "whole"), ("end_turn", "whole"), (None, "whole"),
        ("", "whole"), ("stop_sequence", "whole"), ("FinishReason.STOP", "whole"), ("length", "cut"),
        ("max_tokens", "cut"), ("MAX_TOKENS", "cut"), ("FinishReason.MAX_TOKENS", "cut"), ("Length", "cut"),
        ("model_length", "cut"), ("content_filter", "declined"), ("tool_calls", "other"), ("refusal", "declined"),
        ("FINISH_REASON_SAFETY", "declined"), ("FINISH_REASON_STOP", "whole"), ("COMPLETE", "whole"),
        ("guardrail_intervened", "declined"), ("repetition_truncation", "cut"), ("max-tokens", "cut"),
        ("insufficient_system_resource", "failed"), ("network_error", "failed"),
        ("</s>", "whole"), ("<|im_end|>", "whole"), ("<|eot_id|>", "whole"), ("null", "whole"), ("None", "whole"),
        ("error", "failed"), ("abort", "failed"), (7, "whole"), ({"type": "stop"}, "whole"),
    ],
)  # fmt: skip
def test_how_a_reply_ended(said: Any, meant: str) -> None:
    assert ending(read(completion({"content": TEXT}, said)).finish_reason) == meant


def test_a_reply_may_say_nothing_of_how_it_ended() -> None:
    raw = completion({"content": TEXT})
    del raw["choices"][0]["finish_reason"]
    assert ending(read(raw).finish_reason) == "whole"


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, (7, 3)),
        ({"prompt_tokens": None, "completion_tokens": None}, (0, 0)),
        ({"prompt_tokens": 7.25, "completion_tokens": 3.0}, (8, 3)),
        ({"prompt_tokens": "7", "completion_tokens": [3]}, (7, 0)),
        ({"prompt_tokens": "seven", "completion_tokens": "9" * 5_000}, (0, 0)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (0, 0)),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, (0, 0)),
        ({"prompt_tokens": 10**30, "completion_tokens": 1e300}, (0, 0)),
        ({"total_tokens": 9}, (0, 0)), (None, (0, 0)), ([], (0, 0)), ("many", (0, 0)),
    ],
)  # fmt: skip
def test_counts_are_whole_numbers_or_none(usage: Any, counts: tuple[int, int]) -> None:
    found = read(completion({"content": TEXT}, usage=usage))
    assert (found.prompt_tokens, found.completion_tokens) == counts


@pytest.mark.parametrize(
    "around",
    ["{}", "\ufeff{}", "\n\n {} \n", "{}\n\ndata: [DONE]\n\n", "{}data:[DONE]\ndata: [DONE]", "\0{}\0",
     "data: {}\n\ndata: [DONE]\n\n", ": waiting\n\n: waiting\n\ndata: {}\n\n", "event: message\r\ndata: {}\r\n\r\n"],
)  # fmt: skip
def test_what_stands_around_the_json_does_no_harm(around: str) -> None:
    body = around.replace("{}", json.dumps(completion({"content": TEXT}))).encode()
    assert json.loads(reply(body).text) == ANSWER


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_an_answer_may_be_in_another_encoding_by_its_mark(encoding: str) -> None:
    assert json.loads(reply(json.dumps(completion({"content": TEXT})).encode(encoding)).text) == ANSWER
    error = read_objection(400, json.dumps({"error": {"message": "no room"}}).encode(encoding))
    assert error.message == "no room"


def test_of_several_choices_the_first_by_number_is_the_reply() -> None:
    first, second = ({"index": i, "message": {"content": text}} for i, text in enumerate((TEXT, "{}")))
    assert read({"choices": [second, first]}).text == TEXT
    chunks = [{"index": i % 2, "delta": {"content": text}} for i, text in enumerate((TEXT[:5], "{", TEXT[5:], "}"))]
    body = "\n\n".join(f"data: {json.dumps({'choices': [chunk]})}" for chunk in chunks)
    assert reply(body.encode()).text == TEXT


@pytest.mark.parametrize("between", ["\n", "\r\n", "\n\n"])
def test_events_of_a_stream_are_told_apart(between: str) -> None:
    deltas: list[Any] = [{"content": TEXT[:5]}, {"content": [{"type": "text", "text": TEXT[5:]}]}]
    lines = [f"data: {json.dumps({'choices': [{'delta': delta}]})}" for delta in deltas]
    assert reply(between.join([*lines, "data: [DONE]"]).encode()).text == TEXT


def test_a_server_that_answers_in_the_form_of_a_stream_is_read() -> None:
    raw = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": TEXT}, "finish_reason": "stop"}]}
    assert reply(json.dumps(raw).encode()).text == TEXT


def test_a_stream_is_put_together() -> None:
    """Of a server that streams whatever it is told."""
    deltas: list[Any] = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": TEXT[:5]}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"delta": {"content": TEXT[5:]}, "finish_reason": "stop"}], "usage": None}]
    chunks += [{"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    found = reply(body.encode())
    assert (found.text, found.finish_reason, found.prompt_tokens) == (TEXT, "stop", 4)


@pytest.mark.parametrize(
    "raw",
    [{}, [], None, 3, "x", {"choices": []}, {"choices": None}, {"choices": [None]}, {"choices": [{}]},
     {"choices": [{"message": None}]}, {"choices": [{"message": "x"}]}, {"choices": {"0": 1}},
     {"choices": [{"text": "of a completion that is no chat"}]}, {"choices": [{"message": {"content": 3}}]},
     {"choices": [{"message": {"content": {"a": 1}}}]}, {"choices": [{"message": {"content": [3]}}]}],
)  # fmt: skip
def test_what_is_no_chat_completion_is_the_server_s_fault(raw: Any) -> None:
    with pytest.raises(NoEnvelopeError):
        read_envelope(raw)
    with pytest.raises(BrokenError, match="no chat completion"):
        reply(json.dumps(raw).encode())


@pytest.mark.parametrize("said", ["error", "abort"])
def test_a_reply_that_the_server_broke_off_is_no_reply(said: str) -> None:
    with pytest.raises(BrokenError, match=said):
        reply(json.dumps(completion({"content": "Generation failed"}, said)).encode())


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        # OpenAI, of a model that reasons
        ("Could not finish the message because max_tokens or model output limit was reached.", "cut"),
        ("Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.", "other"),
    ],
)  # fmt: skip
def test_an_error_may_be_the_report_of_a_reply(message: str, meant: str) -> None:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
    assert ending(read_answer(400, body, 0.5, "http://x/v1", "verify").finish_reason) == meant


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "refusal": "I'm sorry, I can't help with that."},
        {"content": "", "refusal": "I'm sorry, I can't help with that."},
        {"content": [{"type": "refusal", "refusal": "I'm sorry, I can't help with that."}]},
    ],
)
def test_a_refusal_is_told_from_a_reply(message: Any) -> None:
    found = read(completion(message))
    assert (found.text, ending(found.finish_reason)) == ("I'm sorry, I can't help with that.", "declined")


def test_halves_of_characters_do_not_get_in() -> None:
    body = json.dumps(completion({"content": "a\ud800b \ud83d\ude00"}, "st\udc00p")).encode()
    found = reply(body)
    assert found.text == "a\ufffdb \U0001f600"
    found.model_dump_json().encode()
    assert reply(b'{"choices": [{"message": {"content": "\xed\xa0\x80 \xff"}}]}').text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "{}", "\ufeff{}\n", "```json\n{}\n```", "```\n{}```", "Here it is:\n\n```json\n{}\n```\nAnything else?",
        "<think>Two signs {one, two}.</think>{}", "<think>\n{\"faults\": []}\n</think>\n\n```json\n{}\n```",
        "thoughts whose start the server cut off </think> {}", "<thinking>x</thinking>\n{}", "[THINK]x[/THINK]{}",
        "◁think▷x◁/think▷{}", "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>{}",
        "Let me look. A draft: {\"faults\": [1]}. On second thoughts:\n{}", "{}<|im_end|>", "The answer is {}.",
        "{not json} then {}",
    ],
)  # fmt: skip
def test_the_answer_is_found_among_what_a_model_puts_around_it(text: str) -> None:
    assert answer_in(text.replace("{}", TEXT)) == ANSWER


@pytest.mark.parametrize(
    "text",
    ["", "I cannot.", "{", "<think>a draft: {\"faults\": []} and I thought on", "{\"faults\": []} and then {\"fau",
     "{\"a\": " * 50_000, "{" * 100_000, "[[[", "{x}" * 100, "<think>{}</think>", "{\"faults\": []} " + "x" * 2**20,
     "{\"faults\": []}</think> I cannot.", "<think>a</think><think>{\"faults\": []}</think> I cannot"],
)  # fmt: skip
def test_no_answer_is_made_up(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        answer_in(text)


@settings(max_examples=40, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner)
       | st.dictionaries(st.sampled_from(["choices", "message", "content", "refusal", "usage", "text", "type", "error",
                                          "finish_reason", "reasoning_content", "code", "delta"]), inner)))  # fmt: skip
def test_any_json_is_a_reply_or_an_error_of_ours(raw: Any) -> None:
    from tests.captioning.dialogue.test_server_errors import CLASSES

    for status in (200, 400):
        try:
            found = read_answer(status, json.dumps(raw).encode(), 0.5, "http://x/v1", "compose")
        except tuple(CLASSES.values()) as error:
            str(error).encode()
        else:
            found.model_dump_json().encode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is what is looked at
        reply(body)
    assert isinstance(caught.value, BrokenError), caught.value
