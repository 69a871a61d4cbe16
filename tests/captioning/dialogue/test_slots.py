"""Requests in flight at one model server, over all that use it."""

import asyncio
import threading
from pathlib import Path

from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.dialogue.slots import Slots, slots_of
from pipeline.config.captioning import Dialogue
from tests.captioning.model_standin import NAME, serving, write_well
from tests.captioning.places import build_for, place


def test_prompt_sets_and_a_verifier_on_one_server_share_its_slots(tmp_path: Path) -> None:
    with serving(write_well, delay_s=0.02) as standin:
        judge = {"model": NAME, "endpoints": [f"{standin.url}/"], "at_once": 3}
        builds = (
            build_for([standin.url], tmp_path / "a", at_once=3),
            build_for([standin.url], tmp_path / "b", at_once=4, prompt_set="plain-en-2"),
            build_for([standin.url], tmp_path / "c", at_once=4, prompt_set="progressive-en-2", verifier=judge),
        )
        threads = []
        for n, build in enumerate(builds):
            assert isinstance(build.captioner, Dialogue)
            sites = [place(f"{n}{i}", 2) for i in range(4)]
            threads.append(threading.Thread(target=DialogueCaptioner(build.captioner, build).describe, args=(sites,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert standin.most_at_once == 3
        assert standin.turns().count("verify") == 12
        assert standin.turns().count("compose") == 12


def test_another_server_has_slots_of_its_own() -> None:
    here, same, there = (slots_of(f"http://{at}/v1", 5) for at in ("10.0.0.1:8000", "10.0.0.1:8000", "10.0.0.1:8001"))
    assert here is same
    assert here is not there
    assert slots_of("http://10.0.0.1:8000/other", 2) is here
    assert (here.most, there.most) == (2, 5)


def test_the_port_of_the_scheme_need_not_be_written() -> None:
    implied = slots_of("https://Models.example.org/v1", 5)
    assert slots_of("https://models.example.org:443/v1", 5) is implied


def test_who_is_cancelled_while_waiting_takes_no_slot_along() -> None:
    slots = Slots(1)

    async def hold(entered: asyncio.Event, end: asyncio.Event) -> None:
        async with slots:
            entered.set()
            await end.wait()

    async def scenario() -> None:
        first, end = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(first, end))
        await first.wait()
        waiting = asyncio.create_task(hold(asyncio.Event(), end))
        await asyncio.sleep(0)
        waiting.cancel()
        late = asyncio.create_task(hold(asyncio.Event(), end))  # granted in the very moment in which it is cancelled
        await asyncio.sleep(0)
        end.set()
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(holder, waiting, late, return_exceptions=True)
        async with asyncio.timeout(5.0):
            await hold(asyncio.Event(), end)

    asyncio.run(scenario())


def test_slots_bound_over_several_event_loops() -> None:
    slots, lock = Slots(2), threading.Lock()
    inside: list[int] = [0, 0]

    async def once() -> None:
        async with slots:
            with lock:
                inside[0] += 1
                inside[1] = max(inside)
            await asyncio.sleep(0.005)
            with lock:
                inside[0] -= 1

    async def many() -> None:
        await asyncio.gather(*(once() for _ in range(10)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30.0)
    assert inside == [0, 2]
