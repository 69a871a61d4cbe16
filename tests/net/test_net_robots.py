"""Hosts that document no API are asked for their robots.txt first."""

import pytest

from pipeline.errors import SiteError
from pipeline.net.base import Key, Request
from pipeline.net.robots import forbids_pictures
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said
from tests.net.virtual_time import JumpingLoop, ScriptedHost, ask_in_virtual_time, reply

RULES = b"User-agent: *\nDisallow: /private\n\nUser-agent: geoscribe\nDisallow: /not-us\nAllow: /private\n"


def test_robots_txt_is_obeyed_and_read_once(server: RawServer, make_session: MakeSession) -> None:
    server.on("/robots.txt", said(200, RULES, content_type="text/plain"))
    session = make_session(documented_api=False)
    for path in ("/a", "/private/b"):
        session.fetch(Request(server.on(path, said(200))))
    with pytest.raises(SiteError, match=r"/robots\.txt does not allow it") as caught:
        session.fetch(Request(server.on("/not-us/c", said(200))))
    assert caught.value.reason is Reason.REFUSED
    assert server.count("/not-us/c") == 0
    assert server.count("/robots.txt") == 1


def test_a_documented_api_is_not_asked_for_it(server: RawServer, make_session: MakeSession) -> None:
    server.on("/robots.txt", said(200, b"User-agent: *\nDisallow: /"))
    make_session().fetch(Request(server.on("/a", said(200))))
    assert server.count("/robots.txt") == 0


@pytest.mark.parametrize("answer", [said(404), said(403), said(401), said(410), said(200, b""), said(200, b"\xff\x00")])
def test_none_there_allows_all(answer: bytes, server: RawServer, make_session: MakeSession) -> None:
    server.on("/robots.txt", answer)
    make_session(documented_api=False).fetch(Request(server.on("/a", said(200))))


def test_one_that_cannot_be_had_forbids_all(server: RawServer, make_session: MakeSession) -> None:
    server.on("/robots.txt", said(500))
    with pytest.raises(SiteError, match=r"robots\.txt: status 500") as caught:
        make_session(documented_api=False).fetch(Request(server.on("/a", said(200))))
    assert caught.value.reason is Reason.SERVER_ERROR
    assert server.count("/a") == 0


def test_the_key_is_not_sent_for_it(
    server: RawServer, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "canary-key-123")
    session = make_session(documented_api=False, key=Key("CANARY", header="Authorization"))
    session.fetch(Request(server.on("/a", said(200))))
    assert ["authorization" in one.headers for one in server.seen] == [False, True]


def test_crawl_delay() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        host.on("/robots.txt", reply(200, b"User-agent: *\nCrawl-delay: 0.3"))
        await host.fetch_many([host.on("/a", reply(200))] * 3)
        (robots, read), *asked = host.seen
        assert (robots, [path for path, _ in asked]) == ("/robots.txt", ["/a"] * 3)
        assert [at - read for _, at in asked] == pytest.approx([0.0, 0.3, 0.6], abs=1e-3)

    ask_in_virtual_time(scenario, {"max_wait_s": 1}, documented_api=False)


def test_a_crawl_delay_that_is_longer_than_we_wait_forbids_all(server: RawServer, make_session: MakeSession) -> None:
    server.on("/robots.txt", said(200, b"User-agent: *\nCrawl-delay: 100000"))
    with pytest.raises(SiteError, match="100000 s between two requests"):
        make_session(documented_api=False).fetch(Request(server.origin + "/a"))


@pytest.mark.parametrize(
    ("header", "forbidden"),
    [
        ("noai", True),
        ("noindex, NoImageAI", True),
        ("geoscribe: noai", True),
        ("otherbot: noai", False),
        ("noindex", False),
        ("", False),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST", False),
    ],
)
def test_x_robots_tag(header: str, forbidden: bool, server: RawServer, make_session: MakeSession) -> None:
    assert forbids_pictures(header) is forbidden
    url = server.on("/a.jpg", said(200, b"\xff\xd8\xff", content_type="image/jpeg", x_robots_tag=header))
    make_session().fetch(Request(url))
    session = make_session(documented_api=False)
    if forbidden:
        with pytest.raises(SiteError, match="X-Robots-Tag") as caught:
            session.fetch(Request(url))
        assert caught.value.reason is Reason.REFUSED
    else:
        session.fetch(Request(url))
