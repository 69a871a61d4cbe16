"""A model server without a model, which waits before it replies and records how much of its room is used.

`serving` runs it in a process of its own. Like a real one it works on so many requests at once and queues the rest. It
speaks the turns of the `progressive` prompt sets: it describes the objects that it is given, one sentence each.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

NAME = "waiting-model"
Series = list[tuple[float, int]]
"""Times of `time.time` and the number of requests under way from then on."""


@dataclass
class Recorded:
    """A server that runs, and when it has ended what it recorded."""

    url: str
    series: Series = field(default_factory=list)

    def used(self, room: int, cut: float = 0.05) -> tuple[float, float]:
        """How much of the server was used.

        Returns:
            Mean share of the room in use, without a share of the run at its start and at its end; and the length of the
            run in seconds, from the first request to the last reply.
        """
        times, under_way = zip(*self.series, strict=True)
        first, last = times[0], times[-1]
        low, high = first + cut * (last - first), last - cut * (last - first)
        area = 0.0
        for start, end, n in zip(times, times[1:], under_way, strict=False):
            area += n * max(0.0, min(end, high) - max(start, low))
        return area / (high - low) / room, last - first


@contextmanager
def serving(room: int, delay_s: float) -> Iterator[Recorded]:
    """A server with room for so many requests, each of which takes `delay_s` seconds."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, room, delay_s), daemon=True)
    process.start()
    recorded = Recorded(f"http://127.0.0.1:{ours.recv()}/v1")
    try:
        yield recorded
    finally:
        ours.send("end")
        recorded.series = ours.recv()
        process.join()


def _serve(driver: Connection, room: int, delay_s: float) -> None:
    asyncio.run(_run(driver, room, delay_s))


async def _run(driver: Connection, room: int, delay_s: float) -> None:
    places, series, said = asyncio.Semaphore(room), Series(), set[str]()
    under_way = 0

    def change(by: int) -> None:
        nonlocal under_way
        under_way += by
        series.append((time.time(), under_way))

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": NAME, "owned_by": "nobody", "max_model_len": 32_768}]})

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        turn = body["response_format"]["json_schema"]["name"]
        if turn not in _WRITERS:  # the small request that a client begins with
            return _completion({"pictures": [{"colour": "red", "place": "first"}]})
        text = [part["text"] for part in body["messages"][-1]["content"] if part["type"] == "text"][-1]
        inside = text.partition("<data>")[2].partition("</data>")[0]
        async with places:
            change(1)
            try:
                await asyncio.sleep(delay_s)
            finally:
                change(-1)
        return _completion(_WRITERS[turn](json.loads(inside) if inside else {}, said))

    app = web.Application(client_max_size=2**26)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    driver.send(runner.addresses[0][1])
    await asyncio.to_thread(driver.recv)
    driver.send(series)
    await runner.cleanup()


def _completion(reply: Any) -> web.Response:
    message = {"role": "assistant", "content": json.dumps(reply)}
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100}
    return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


def _observe(_data: Any, _said: set[str]) -> Any:
    return {"scene": "street", "road": "a straight road", "things": [], "writing": []}


def _ground(data: Any, _said: set[str]) -> Any:
    return {"cues": [{"id": cue["id"], "ruling": "clear"} for cue in data.get("cues", [])]}


def _relate(_data: Any, _said: set[str]) -> Any:
    nothing = dict.fromkeys(("left", "ahead", "right", "behind", "doubtful"), "")
    return {"shared": [], "roads": {"layout": "straight", "detail": ""}, **nothing}


def _compose(data: Any, said: set[str]) -> Any:
    sentences = []
    for cue in data.get("cues", []):
        where = cue.get("where", "ahead")
        text = (
            f'A sign {where} reads "{cue["words"]}".' if cue["is"] == "sign" else f"There is a {cue['what']} {where}."
        )
        said.add(text)
        claim = {"says": text, "kind": "sign" if cue["is"] == "sign" else "thing", "cites": [cue["id"]]}
        sentences.append({"text": text, "shows": "street", "claims": [claim]})
    return {"long": sentences[:8], "short": sentences[:1], "street": sentences[:2]}


def _verify(data: Any, said: set[str]) -> Any:
    """True is what it has said itself, and nothing else: so it refuses the controls."""
    return {
        "answers": [
            {"statement": one["statement"], "answer": "yes" if one["says"] in said else "no", "picture": 1}
            for one in data["statements"]
        ]
    }


_WRITERS = {
    "observe": _observe,
    "ground": _ground,
    "relate": _relate,
    "compose": _compose,
    "verify": _verify,
    "repair": _compose,
}
