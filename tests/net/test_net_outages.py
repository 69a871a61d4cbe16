"""Outages in a build: the host is paused, nothing is lost, and if it lasts the build stops. In virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.errors import OutageError, SiteError
from pipeline.net import outages
from pipeline.net.outages import WINDOW, OutageRules
from schemas.reasons import Reason
from tests.net.virtual_time import Given, JumpingLoop, Late, ScriptedHost, Silence, ask_in_virtual_time, reply

PICTURE = {"content_type": "image/jpeg"}
OK = reply(200, b"picture", **PICTURE)
NO = reply(403, b"Forbidden")
HALF_AN_HOUR = OutageRules(wait_s=1800.0, share=0.9)


def until(loop: JumpingLoop, end: float, before: Given, after: Given) -> Callable[[], Given]:
    """What comes depends on the time."""
    return lambda: before if loop.time() < end else after


def test_a_provider_that_refuses_for_ten_minutes_costs_the_first_requests_and_no_others() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        end = loop.time() + 600.0
        url = host.on("/a", until(loop, end, NO, OK))
        lost, there = 0, 0
        for _ in range(20):  # sites come in their turn, as in a build
            answers = await host.fetch_many([url] * 20)
            refused = [one for one in answers if isinstance(one, SiteError)]
            assert {one.reason for one in refused} <= {Reason.REFUSED}
            lost, there = lost + len(refused), there + len(answers) - len(refused)
        assert lost < WINDOW
        assert there == 400 - lost
        assert loop.time() >= end
        assert "example.org" not in outages.paused()
        assert len([at for _, at in host.seen if at < end]) < WINDOW + 30  # probes, further and further apart

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR, at_once=20)


def test_a_provider_that_goes_on_refusing_stops_the_build() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", NO)
        started = loop.time()
        with pytest.raises(OutageError, match=r"out of order for 1800 s \(limits.outage_wait_s\): status 403"):
            await host.fetch_many([url] * 200)
        assert loop.time() - started == pytest.approx(1800.0, abs=60.0)
        assert "example.org" in outages.paused()
        outages.resume("example.org")

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR, at_once=20)


def test_a_host_that_is_silent_for_five_minutes_loses_nothing() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", until(loop, loop.time() + 300.0, Silence(30.0), OK))
        answers = await host.fetch_many([url] * 40)
        assert not [one for one in answers if isinstance(one, SiteError)]

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR, network={"retry_share": 1.0})


def test_a_silent_host_stops_the_build_after_its_wait() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", Silence(30.0))
        started = loop.time()
        with pytest.raises(OutageError):
            await asyncio.gather(*(host.fetch(url) for _ in range(40)))
        assert 1800.0 <= loop.time() - started < 2100.0
        outages.resume("example.org")

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR)


def test_a_host_that_is_back_at_the_end_of_the_wait_is_found_there() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", until(loop, loop.time() + 24.0, NO, Late(1.0, OK)))  # probes alone: after 2.5, 7.5, 17.5 s
        answers = await host.fetch_many([url] * (WINDOW + 20))
        assert sum(isinstance(one, SiteError) for one in answers) < WINDOW
        assert "example.org" not in outages.paused()

    ask_in_virtual_time(scenario, outage=OutageRules(wait_s=25.0, share=0.9), at_once=20)


def test_some_refusals_among_answers_are_no_outage() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        private, public = host.on("/private", NO), host.on("/public", OK)
        answers = await host.fetch_many(([private] * 5 + [public]) * 50)
        assert sum(isinstance(one, SiteError) for one in answers) == 250

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR)


def test_a_share_of_one_lets_a_host_refuse_all() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        answers = await host.fetch_many([host.on("/private", NO)] * 300)
        assert all(isinstance(one, SiteError) for one in answers)

    ask_in_virtual_time(scenario, outage=OutageRules(wait_s=10.0, share=1.0))


def test_a_pause_that_is_too_long_stops_the_build_and_a_shorter_one_is_waited_for() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        started = loop.time()
        url = host.on("/a", reply(429, b"", retry_after="1000"), OK)
        assert (await host.fetch(url)).status == 200
        assert loop.time() - started >= 1000.0
        later = host.on("/b", reply(429, b"", retry_after="7200"), OK)
        with pytest.raises(OutageError, match=r"asks to wait 7200 s, more than limits\.outage_wait_s"):
            await host.fetch(later)
        with pytest.raises(OutageError, match="asked for a pause"):
            await host.fetch(url)

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR)


def test_the_days_requests_used_up_stop_the_build() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", Late(0.1, OK))
        for _try in range(3):
            await host.fetch(url)
        with pytest.raises(OutageError, match="start the build again by then"):
            await host.fetch(url)

    ask_in_virtual_time(scenario, outage=HALF_AN_HOUR, per_day=3)
