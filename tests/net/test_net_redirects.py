"""Redirects: followed within the provider's addresses, and no further."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from pipeline.errors import SiteError
from pipeline.net.base import Key, Request
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said
from tests.net.virtual_time import JumpingLoop, Late, ScriptedHost, ask_in_virtual_time, reply

CANARY = "canary-key-123456"


def to(location: str, status: int = 302) -> bytes:
    return said(status, b"elsewhere", location=location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int, server: RawServer, make_session: MakeSession) -> None:
    server.on("/b", said(200, b"here"))
    answer = make_session().fetch(Request(server.on("/a", to("/b?x=%2F", status))))
    assert answer.body == b"here"
    assert answer.url == f"{server.origin}/b?x=%2F"
    assert server.seen[1].target == "/b?x=%2F"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "//169.254.169.254/",
        "http://127.0.0.1:9/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "https://example.org/",
        "https://user@example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "javascript:alert(1)",
        "http://a b/",
        "http://[",
    ],
)
def test_a_redirect_to_another_place_is_refused(location: str, server: RawServer, make_session: MakeSession) -> None:
    with pytest.raises(SiteError) as caught:
        make_session().fetch(Request(server.on("/a", to(location))))
    assert caught.value.reason is Reason.UNSAFE_ADDRESS
    assert server.count("/a") == 1


def test_another_port_of_this_machine_is_refused(
    server: RawServer, start_server: Callable[[], RawServer], make_session: MakeSession
) -> None:
    other = start_server()
    with pytest.raises(SiteError, match="not an address of this source") as caught:
        make_session().fetch(Request(server.on("/a", to(other.on("/b", said(200))))))
    assert caught.value.reason is Reason.UNSAFE_ADDRESS
    assert not other.seen


@pytest.mark.parametrize("chain", [["/a"], ["/b", "/a"], ["/1", "/2", "/3", "/4"]])
def test_a_loop_or_a_long_chain_ends(chain: list[str], server: RawServer, make_session: MakeSession) -> None:
    for here, there in zip(["/a", *chain], chain, strict=False):
        server.on(here, to(there))
    with pytest.raises(SiteError, match="redirected more than 3 times") as caught:
        make_session().fetch(Request(server.origin + "/a"))
    assert caught.value.reason is Reason.BAD_ANSWER
    assert len(server.seen) == 4


def test_three_redirects_are_followed(server: RawServer, make_session: MakeSession) -> None:
    for here, there in ("/a", "/b"), ("/b", "/c"), ("/c", "/d"):
        server.on(here, to(there))
    server.on("/d", said(200, b"here"))
    assert make_session().fetch(Request(server.origin + "/a")).body == b"here"


def test_a_redirect_without_a_place_is_no_answer(server: RawServer, make_session: MakeSession) -> None:
    with pytest.raises(SiteError, match="status 302"):
        make_session().fetch(Request(server.on("/a", said(302))))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (Key("CANARY", header="Authorization", scheme="OAuth "), [True, True]),
        (Key("CANARY", query="access_token"), [True, False]),  # where a redirect leads is the server's to say
    ],
    ids=["header", "query"],
)
def test_the_key_stays_with_its_origin(
    key: Key,
    told: list[bool],
    server: RawServer,
    start_server: Callable[[], RawServer],
    make_session: MakeSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    other = start_server()
    server.on("/a", to("/b"))
    server.on("/b", to(other.origin + "/c"))
    other.on("/c", to("/d"))
    other.on("/d", said(200, b"here"))
    session = make_session(key=key, origins=(server.origin, other.origin))
    assert session.fetch(Request(server.origin + "/a")).body == b"here"
    assert [CANARY in str(one) for one in server.seen] == told
    assert [CANARY in str(one) for one in other.seen] == [False, False]


def test_a_redirect_that_would_put_the_key_into_an_address_is_not_followed(
    server: RawServer, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    url = server.on("/a", to(f"/b?access_token={quote(CANARY, safe='')}"))
    server.on("/b", said(200, b"here"))
    session = make_session(key=Key("CANARY", header="Authorization"))
    with pytest.raises(SiteError, match="redirected to an address with the key in it") as caught:
        session.fetch(Request(url))
    assert caught.value.reason is Reason.UNSAFE_ADDRESS
    assert len(server.seen) == 1


def test_waiting_for_its_turn_is_no_part_of_a_time_out() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        host.on("/b", Late(0.3, reply(200, b"here")))
        url = host.on("/a", Late(0.1, reply(302, location="/b")))
        started = loop.time()
        results = await host.fetch_many([url] * 2)
        assert [getattr(result, "body", result) for result in results] == [b"here", b"here"]
        assert loop.time() - started > 3 * 0.4  # four requests in turn

    ask_in_virtual_time(scenario, {"total_timeout_s": 0.5, "tries": 1}, per_s=2.5, at_once=1)


def test_a_time_out_is_for_all_redirects_together() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        host.on("/b", Late(0.3, reply(200, b"here")))
        with pytest.raises(SiteError, match=r"no whole answer within 0\.2 s"):
            await host.fetch(host.on("/a", Late(0.3, reply(302, location="/b"))))

    ask_in_virtual_time(scenario, {"total_timeout_s": 0.5, "tries": 1})


@pytest.mark.parametrize(("status", "method"), [(302, "GET"), (303, "GET"), (307, "POST")])
def test_a_post_that_is_redirected(status: int, method: str, server: RawServer, make_session: MakeSession) -> None:
    server.on("/b", said(200))
    make_session().fetch(
        Request(server.on("/a", to("/b", status)), method="POST", body=b"x", content_type="text/plain")
    )
    assert (server.seen[1].method, server.seen[1].body) == (method, b"x" if method == "POST" else b"")
