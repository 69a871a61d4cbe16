"""The dialogue with a real vLLM server. Its weights are random: what it writes is nonsense in the right form."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.dialogue import requests
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.dialogue.replies import ReplyCache
from pipeline.captioning.dialogue.requests import Reply, Request
from pipeline.errors import SiteError
from tests.captioning.hostile import KNOWN, signposted
from tests.vllm.conftest import Talk, Vllm

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]
NOISE = {"ungrounded", "too_little_to_say", "too_long", "reply_cut", "bad_reply", "indoors"}
"""What becomes of nonsense."""


def reason(answer: Description | SiteError) -> str | None:
    """Why a site has no description that may be published."""
    fault = (answer.reason, "") if isinstance(answer, SiteError) else answer.fault
    return None if fault is None else str(fault[0])


def kept(workspace: Path) -> int:
    return len(list((workspace / "replies").rglob("*.json")))


def test_24_places_go_through_the_dialogue_and_none_is_believed(
    vllm: Vllm, talk: Talk, evidence: list[Evidence], tmp_path: Path
) -> None:
    assert len(evidence) == 24
    before = vllm.answered()
    answers = talk(vllm).describe(evidence)
    assert {reason(answer) for answer in answers} <= NOISE
    written = [answer for answer in answers if isinstance(answer, Description)]
    assert len(written) >= 3, answers  # of random weights: many a photo is one indoors to it, and which is chance
    for said in written:
        assert said.dropped
        turns = [turn.turn.split()[0] for turn in said.turns]
        assert list(dict.fromkeys(turns)) == ["observe", "ground", "relate", "compose", "verify", "repair"]
        assert all(turn.finish_reason in ("stop", "length") for turn in said.turns)
        # The rules are the same in every request, so what a prompt has beyond the shortest is pictures and data.
        assert all(turn.prompt_tokens > 500 and turn.completion_tokens > 5 for turn in said.turns)
    assert vllm.answered() - before == kept(tmp_path / "w") + 1  # the small request that comes first

    again = talk(vllm)
    assert [reason(answer) for answer in again.describe(evidence)] == [reason(answer) for answer in answers]
    assert [a for a in again.describe(evidence) if isinstance(a, Description)] == written
    assert again.requests_sent == 0
    assert vllm.answered() - before == kept(tmp_path / "w") + 1  # the small request that comes first


def test_signs_with_orders_reach_neither_the_prompt_nor_the_dataset(vllm: Vllm, talk: Talk, tmp_path: Path) -> None:
    asked: list[Request] = []

    class Listening(ReplyCache):
        def find(self, request: Request) -> Reply | None:
            asked.append(request)
            return super().find(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.captioning.dialogue.dialogue.ReplyCache", Listening)
        place = signposted([*KNOWN.values(), "ISLAND FARM"])
        # Several draws: nonsense may say that the photo was taken indoors, which ends a dialogue before the cues.
        answers = talk(vllm).describe([replace(place, draw=draw) for draw in range(6)])
    assert {reason(answer) for answer in answers} <= NOISE
    told = "".join(part for request in asked for part in (request.system, *request.parts) if isinstance(part, str))
    assert "ISLAND FARM" in told
    assert not [order for order in KNOWN.values() if order in told]
    assert "<|im_" not in told


@pytest.mark.parametrize("at_once", [1, 4, 16])
def test_any_number_at_once(vllm: Vllm, talk: Talk, evidence: list[Evidence], at_once: int) -> None:
    answers = talk(vllm, at_once=at_once, prompt_set="single-turn-en-2").describe(evidence[: 2 * at_once])
    assert {reason(answer) for answer in answers} <= NOISE


def test_a_full_queue_is_waited_out(vllm: Vllm, talk: Talk, evidence: list[Evidence], tmp_path: Path) -> None:
    captioner = talk(vllm, at_once=64, prompt_set="plain-en-2", reply_tokens=64)
    answers = captioner.describe(evidence * 2)
    assert {reason(answer) for answer in answers} <= NOISE
    assert captioner.requests_sent > kept(tmp_path / "w")  # some were turned away and sent again


def test_a_prompt_that_the_server_finds_too_long(
    vllm: Vllm, talk: Talk, evidence: list[Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "text_tokens", lambda _: 0)  # so that only the server finds out
    site = evidence[0]

    def mapped(times: int) -> Evidence:
        texts = [cue.model_copy(update={"cue_id": f"m{i}", "text": f"{i} " + "wall " * 15})  # identical ones are joined
                 for i, cue in enumerate(site.cues * times)]  # fmt: skip
        return Evidence(
            site.site, [c.model_copy(update={"kind": "map", "lasting": True, "label": "poi"}) for c in texts]
        )

    (answer,) = talk(vllm, prompt_set="single-turn-en-2").describe([mapped(60)])
    assert reason(answer) in {"prompt_too_long", *NOISE}
    longest = talk(vllm, prompt_set="single-turn-en-2", workspace="x").describe([mapped(480)])
    assert reason(longest[0]) == "prompt_too_long"
    assert "maximum context length" in str(longest[0])


def describe_in_thread(
    captioner: DialogueCaptioner, places: Sequence[Evidence]
) -> tuple[threading.Thread, list[object]]:
    answers: list[object] = []

    def run() -> None:
        try:
            answers.extend(captioner.describe(places))
        except Exception as error:
            answers.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_two_servers_of_which_one_is_killed_and_started_again(
    vllm: Vllm, checkpoints: Path, talk: Talk, evidence: list[Evidence], tmp_path: Path
) -> None:
    other = Vllm(checkpoints / "qwen3_vl", "bfloat16", tmp_path / "log")
    with other.running() as process:
        before = vllm.answered()
        answers = talk(vllm, other, prompt_set="single-turn-en-2").describe(evidence)
        assert {reason(answer) for answer in answers} <= NOISE
        assert vllm.answered() - before >= 6
        assert other.answered() >= 6

        # Alone, and killed in the middle: the places wait until it is there again.
        captioner = talk(other, workspace="alone", at_once=4)
        thread, late = describe_in_thread(captioner, evidence[:6])
        while kept(tmp_path / "alone") < 6:
            assert thread.is_alive()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert thread.is_alive()
    with other.running():
        thread.join(240)
        finished = other.answered()
    assert len(late) == 6
    assert {reason(answer) for answer in late if isinstance(answer, Description | SiteError)} <= NOISE
    # What was answered before it was killed was not asked for again.
    assert finished < kept(tmp_path / "alone")
