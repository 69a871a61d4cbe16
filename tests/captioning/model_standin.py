"""A stand-in for a model server: no model, but the interface of one, told what to reply or how to fail.

It sees of a request what a model sees, so it can play a good writer (`write_well`) that writes from the cues that it is
given, and one that obeys whatever it reads (`Obedient`). The small request that a client begins with is kept apart
(`probes`), so that tests count turns.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from pipeline.captioning.dialogue.model_probe import NAME as PROBE

NAME = "stand-in"
GATHERING_S = 120.0
"""A client that has not sent by then what `gathers` waits for never will."""
WHERE = {
    "left": "on the left",
    "ahead-left": "ahead on the left",
    "ahead": "straight ahead",
    "ahead-right": "ahead on the right",
    "right": "on the right",
    "behind": "behind",
}


@dataclass(frozen=True)
class Seen:
    """A request as a model sees it."""

    turn: str
    system: str
    texts: list[str]
    """Of the user's message."""
    pictures: int
    data: dict[str, Any]
    body: dict[str, Any]


Writer = Callable[[Seen], Any]
Fault = Callable[[int, Seen], web.StreamResponse | None]


@dataclass
class StandIn:
    """A running stand-in and what it was asked."""

    write: Writer
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    fault: Fault = lambda _number, _seen: None
    """Given the request's number from 0: an answer in place of a reply."""
    probes: list[Seen] = field(default_factory=list)
    """The small requests that were made before any turn."""
    probe_fault: Fault = lambda _number, _seen: None
    """As `fault`, for the small requests."""
    delay_s: float = 0.0
    gathers: int = 0
    """The first requests wait until there are so many; they are refused where that many never come."""
    at_once: int = 0
    most_at_once: int = 0
    keeps: set[str] | None = None
    """Pictures by `uuid`; None for a server that does not know of them."""
    takes_references: bool = True
    """Whether a picture may be left out whose `uuid` it has: a vLLM before 0.11 calls itself vllm, and refuses that."""
    newer_limit: bool = False
    """Whether it takes `max_completion_tokens` and not `max_tokens`, as OpenAI's models that reason."""
    models: Any = None
    """What stands under `data` of /models, in place of the usual; an answer to give in place of the list."""

    def turns(self) -> list[str]:
        """Names of the turns that were asked, in order."""
        return [seen.turn for seen in self.seen]


USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


def reply(text: str, finish_reason: str = "stop") -> web.Response:
    """A chat completion."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return web.json_response({"choices": [choice], "usage": USAGE})


def refusal(message: str, param: str | None = None, status: int = 400) -> web.Response:
    """An error as vLLM words it."""
    error = {"message": message, "type": "BadRequestError", "param": param, "code": status}
    return web.json_response({"error": error}, status=status)


@contextmanager
def serving(write: Writer, port: int = 0, **settings: Any) -> Iterator[StandIn]:
    """A stand-in, from its start until the end of the block."""
    standin = StandIn(write, **settings)
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    ended = asyncio.Event()

    async def run() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/v1/models", _models(standin))
        app.router.add_post("/v1/chat/completions", _chat(standin))
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        standin.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield standin
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def _models(standin: StandIn) -> Callable[[web.Request], Any]:
    async def models(_: web.Request) -> web.StreamResponse:
        owner = "someone" if standin.keeps is None else "vllm"
        usual = [{"id": NAME, "owned_by": owner, "max_model_len": 32_768}]
        if callable(standin.models):
            answer: web.StreamResponse = standin.models()
            return answer
        return web.json_response({"object": "list", "data": usual if standin.models is None else standin.models})

    return models


def _chat(standin: StandIn) -> Callable[[web.Request], Any]:
    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        seen = _seen(body)
        if seen.turn == PROBE:
            standin.probes.append(seen)
            found = standin.probe_fault(len(standin.probes) - 1, seen) or _refused(standin, body)
            return found or reply(json.dumps({"pictures": [{"colour": "red", "place": "first"}]}))
        number = len(standin.seen)
        standin.seen.append(seen)
        standin.at_once += 1
        standin.most_at_once = max(standin.most_at_once, standin.at_once)
        try:
            await asyncio.sleep(standin.delay_s)
            if not await _gathered(standin):
                return refusal(f"only {standin.at_once} requests came, of {standin.gathers} at once", status=400)
            if (answer := standin.fault(number, seen)) is not None:
                return answer
            if (answer := _refused(standin, body)) is not None:
                return answer
            return reply(json.dumps(standin.write(seen), ensure_ascii=False))
        finally:
            standin.at_once -= 1

    return chat


async def _gathered(standin: StandIn) -> bool:
    end = asyncio.get_running_loop().time() + GATHERING_S
    while standin.most_at_once < standin.gathers:
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.01)
    return True


def _refused(standin: StandIn, body: dict[str, Any]) -> web.Response | None:
    """What a server of these settings objects to, in the words of the servers that have them."""
    if body["model"] != NAME:
        return refusal(f"The model `{body['model']}` does not exist.", "model", 404)
    if standin.newer_limit and "max_tokens" in body:
        said = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        error = {
            "message": said,
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "unsupported_parameter",
        }
        return web.json_response({"error": error}, status=400)
    pictures = [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    if not standin.takes_references and any(part["image_url"] is None for part in pictures):
        said = "1 validation error for ChatCompletionContentPartImageParam image_url Input should be a valid dictionary"
        flat = {"object": "error", "message": said, "type": "BadRequestError", "param": None, "code": 400}
        return web.json_response(flat, status=400)
    if _missed(standin, body):
        return refusal("Cache miss for image at index 0 but data is not provided.")
    return None


def _missed(standin: StandIn, body: dict[str, Any]) -> bool:
    pictures = [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    for part in pictures:
        if part["image_url"] is None and part["uuid"] not in (standin.keeps or ()):
            return True
        if standin.keeps is not None and "uuid" in part:
            standin.keeps.add(part["uuid"])
    return False


def _seen(body: dict[str, Any]) -> Seen:
    system, user = body["messages"]
    texts = [part["text"] for part in user["content"] if part["type"] == "text"]
    inside = texts[-1].partition("<data>")[2].partition("</data>")[0]
    return Seen(
        turn=body["response_format"]["json_schema"]["name"],
        system=system["content"],
        texts=texts,
        pictures=sum(part["type"] == "image_url" for part in user["content"]),
        data=json.loads(inside) if inside else {},
        body=body,
    )


def write_well(seen: Seen) -> Any:
    """What a good model would reply: it accepts every cue and says what the cues say, each in a sentence.

    As a verifier it knows no better than the map and the words of the cues: what these say is true, all else is not.
    """
    cues = seen.data.get("cues", [])
    if seen.turn == "observe":
        thing = {"what": "building", "looks": "brick", "side": "left", "depth": "near"}
        return {"indoors": False, "scene": "street", "road": "a straight road", "things": [thing], "writing": []}
    if seen.turn == "ground":
        return {"cues": [{"id": cue["id"], "ruling": "clear"} for cue in cues]}
    if seen.turn == "relate":
        nothing = dict.fromkeys(("left", "ahead", "right", "behind", "doubtful"), "")
        return {"shared": [], "roads": {"layout": "straight", "detail": ""}, **nothing}
    if seen.turn == "verify":
        return verify_well(seen)
    once = {sentence(cue, i): cue["id"] for i, cue in enumerate(cues)}
    said = [say(text, cue_id) for text, cue_id in once.items()] or [say("There is a road.")]
    return {"long": (said + said)[: max(2, len(said))][:8], "short": said[:1], "street": said[:2]}


def say(text: str, *cites: str) -> dict[str, Any]:
    """A sentence that is its own one claim."""
    kind = "sign" if '"' in text else "thing"
    return {"text": text, "shows": "street", "claims": [{"says": text, "kind": kind, "cites": list(cites)}]}


def verify_well(seen: Seen) -> Any:
    """What a verifier replies that has been in that street: every statement that `TRUE` has is true, no other is."""
    answers = [
        {"statement": s["statement"], "answer": "yes" if s["says"] in TRUE else "no", "picture": 1}
        for s in seen.data["statements"]
    ]
    return {"answers": answers}


TRUE: set[str] = {"There is a brick building here."}
"""What is so in the streets of the tests: the building that it notes, and every sentence that `sentence` has made."""


FORMS = ("There is a {} {}.", "I have a {} {}.", "One can see a {} {}.", "From here, a {} can be seen {}.")


def sentence(cue: dict[str, Any], number: int = 0) -> str:
    """What a cue says, as a sentence in one of several forms."""
    where = WHERE.get(cue.get("where", ""), "nearby")
    if cue["is"] == "sign":
        text = f'A sign {where} reads "{cue["words"]}".'
    else:
        what = cue["what"].split()[-1] if cue["is"] == "on the map" else cue["what"]
        text = FORMS[number % len(FORMS)].format(what, where)
    TRUE.add(text)
    return text


@dataclass(frozen=True)
class Obedient:
    """Does what words tell it to: words in the data, and words that stand on a sign in the picture (`painted`)."""

    orders: tuple[str, ...]
    """Beginnings of what it takes for orders."""
    wanted: str
    """What the orders make it write."""
    painted: bool

    def __call__(self, seen: Seen) -> Any:
        words = json.dumps(seen.data, ensure_ascii=False)
        told = self.painted or any(order in words for order in self.orders)
        if told and seen.turn == "verify":  # it says yes to whatever is put to it
            return {"answers": [{"statement": s["statement"], "answer": "yes", "picture": 1} for s in
                                seen.data["statements"]]}  # fmt: skip
        if not told or seen.turn not in ("compose", "repair"):
            return write_well(seen)
        said = [say(self.wanted), say(self.wanted)]
        return {"long": said, "short": said[:1], "street": said}
