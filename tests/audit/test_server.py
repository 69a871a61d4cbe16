"""The server without a browser: who gets in, what is refused, what comes back."""

import io
import json
import re
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from starlette.testclient import TestClient

from pipeline.errors import ConfigError
from tests.audit.conftest import Clock, on_both_databases, planned
from tests.audit.desk_page import HERE, Page
from tools.audit.database.opening import Desk
from tools.audit.library import Library
from tools.audit.people import enrol
from tools.audit.server.app import make_app
from tools.audit.server.room import Room
from tools.audit.server.running import Address, check
from tools.audit.server.security import BODY_BYTES, Bucket

LONG = "The house stands by the road. " * 80


@pytest.fixture
def room(desk: Desk, library: Library) -> Room:
    return Room(desk, library)


@pytest.fixture
def page(room: Room, desk: Desk, library: Library) -> Page:
    planned(desk, library)
    return Page(room)


@on_both_databases
def test_a_whole_round(page: Page) -> None:
    first, second, _ = page.next()
    assert first["texts"][0]["text"].startswith("A sign ahead reads BAKERY.")
    assert page.decide(first).json() == {"seq": 5}
    assert page.decide(first).json() == {"seq": 5}  # sent twice
    assert page.next()[0]["task_id"] == second["task_id"]
    undone = page.post("/api/undo").json()["task"]
    assert undone["task_id"] == first["task_id"]
    assert undone["version"] == first["version"] + 2
    assert page.decide(first, decision_id="another-one").status_code == 409
    assert page.post(f"/api/tasks/{second['task_id']}/skip").status_code == 200


def test_pictures_come_by_task_and_role_only(page: Page) -> None:
    (task,) = page.next(count=1)
    for picture in task["pictures"]:
        got = page.client.get(picture["url"])
        assert got.headers["content-type"] == "image/jpeg"
        assert PIL.Image.open(io.BytesIO(got.content)).size == (picture["width"], picture["height"])
    (mask,) = task["pictures"][0]["masks"]
    assert PIL.Image.open(io.BytesIO(page.client.get(mask["url"]).content)).size == (320, 240)
    base = f"/api/tasks/{task['task_id']}/pictures"
    for wrong in ("drone", "..%2f..%2f..%2fetc%2fpasswd", "street.jpg", "other-1"):
        assert page.client.get(f"{base}/{wrong}").status_code == 404
    assert page.client.get("/static/../server/app.py").status_code == 404
    assert page.client.get("/static/%2e%2e/records.py").status_code == 404
    shown = page.client.get("/nowhere<b>", headers={"Accept": "text/html,*/*"})
    assert (shown.status_code, 'href="/"' in shown.text, "nowhere" in shown.text) == (404, True, False)
    assert "<h1>Not found</h1>" in shown.text


def test_a_queue_that_is_not_there_is_told(page: Page) -> None:
    accepts = {"Accept": "text/html"}
    shown = page.client.get("/desk?plan=nowhere%3Cb%3E", headers=accepts)
    assert (shown.status_code, "no such queue" in shown.text, "nowhere" in shown.text) == (404, True, False)
    for there in ("/desk", "/desk?plan=first", "/desk?plan=disagreements"):
        assert page.client.get(there, headers=accepts).status_code == 200


def test_the_start_offers_what_is_left_to_do(room: Room) -> None:
    planned(room.desk, room.library, samples=2)
    page, other = Page(room, "ann"), Page(room, "bob")
    assert 'class="button"' in page.client.get("/").text
    while tasks := page.next():
        assert page.decide(tasks[0]).status_code == 200
    start = page.client.get("/").text
    assert ("Look back" in start, 'class="button"' in start) == (True, False)
    assert "nothing for you" in other.client.get("/").text


def test_where_a_camera_and_a_thing_of_the_map_are_on_a_chip(page: Page) -> None:
    (task,) = page.next(count=1)
    by_role = {picture["role"]: picture for picture in task["pictures"]}
    aerial = by_role["aerial"]
    assert (round(aerial["wedge"]["x"]), round(aerial["wedge"]["y"])) == (128, 128)
    assert aerial["wedge"]["heading"] == 45.0
    (mark,) = aerial["marks"]  # Mill Lane: 30 m to the east, at half a metre a pixel
    assert mark["point"] == pytest.approx([188, 128])
    assert by_role["street"]["marks"][0]["polygon"][:2] == [80.0, 60.0]


def test_a_text_is_checked_while_it_is_edited_and_cannot_be_saved_too_long(page: Page) -> None:
    (task,) = page.next(count=1)
    path = f"/api/tasks/{task['task_id']}/check"
    checked = page.post(path, {"variant": "long", "text": "A sign ahead reads BAKERY. It is in Paris."}).json()
    assert checked["tokens"] == 13  # start, eleven words and full stops, end
    assert any("Paris" in finding["text"] for finding in checked["findings"])
    long = page.post(path, {"variant": "long", "text": LONG}).json()
    assert long["findings"][0]["level"] == "error"
    refused = page.decide(task, verdict="edit", edits={"long": LONG})
    assert refused.status_code == 422
    assert "at most 300" in refused.json()["detail"]
    assert page.decide(task, verdict="edit", edits={"long": "A sign reads BAKERY."}).status_code == 200


def test_a_finding_never_gives_a_planted_falsehood_away(room: Room, desk: Desk, library: Library) -> None:
    planned(desk, library, samples=6, attention_share=1)
    page = Page(room)
    for _ in range(12):
        (task,) = page.next(count=1)
        text = next(t["text"] for t in task["texts"] if t["variant"] == "long")
        checked = page.post(f"/api/tasks/{task['task_id']}/check", {"variant": "long", "text": text}).json()
        assert checked["findings"] == []
        page.decide(task)


def test_strangers_and_other_sites_are_kept_out(page: Page, room: Room) -> None:
    (task,) = page.next(count=1)
    path = f"/api/tasks/{task['task_id']}/decision"
    stranger = TestClient(page.client.app, base_url=HERE, follow_redirects=False)
    assert stranger.get(task["pictures"][0]["url"]).status_code == 401
    assert stranger.post(path, json={}).status_code == 401
    assert stranger.get("/desk", headers={"Accept": "text/html"}).headers["location"] == "/login"
    assert page.post(path, {}, **{"X-CSRF-Token": "0" * 64}).status_code == 403
    assert page.post("/api/undo", {}, Origin="https://evil.example").status_code == 403
    assert page.client.get("/", headers={"Host": "evil.example:8750"}).status_code == 421
    for origin in ("https://evil.example", "null", "http://["):
        assert stranger.post("/login", data={"token": "x"}, headers={"Origin": origin}).status_code == 403
    named = TestClient(make_app(room, hosts=("Desk.example",)), base_url="http://desk.example")
    assert named.get("/login").status_code == 200  # browsers write names in small letters
    forged = page.client.cookies["geoscribe_audit"].replace("lea|", "bob|")
    for cookie in (forged, "lea|9|x|\u00e9", "|||", "lea|\u00b2|x|0"):
        assert (
            stranger.get("/desk", headers={b"Cookie": f"geoscribe_audit={cookie}".encode("latin-1")}).status_code == 401
        )


HALF_A_PAIR = "\ud800"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"note": HALF_A_PAIR}, "valid string"),
        ({"ms": float("nan")}, "finite number"),
        ({"version": None}, "valid integer"),
        ({"claims": {"99.0": "false"}}, "claims 99.0, which the sample does not have"),
        ({"verdict": "edit", "edits": {"long": "A sign reads \u202eYREKAB\x00."}}, "do not show: U+0000, U+202E"),
        ({"verdict": "edit", "edits": {"long": "SAME"}}, "it is as it was"),
        ({"verdict": "edit", "edits": {"other": "x"}}, "'long', 'short' or 'street'"),
    ],
)
def test_decisions_that_make_no_sense_are_refused_in_words(page: Page, said: dict[str, Any], told: str) -> None:
    (task,) = page.next(count=1)
    if said.get("edits") == {"long": "SAME"}:
        said = {**said, "edits": {"long": task["texts"][0]["text"]}}
    body = {"decision_id": "12345678", "version": task["version"], "text_sha256": task["text_sha256"]}
    sent = json.dumps({**body, "verdict": "accept", **said})
    headers = {"X-CSRF-Token": page.csrf, "Content-Type": "application/json"}
    refused = page.client.post(f"/api/tasks/{task['task_id']}/decision", content=sent, headers=headers)
    assert refused.status_code == 422
    assert told in refused.json()["detail"]


def test_what_no_database_takes_reaches_none(page: Page) -> None:
    (task,) = page.next(count=1)
    for name in ("a%00b", task["task_id"] + "%00"):
        assert page.client.get(f"/api/tasks/{name}/pictures/street").status_code == 404
    for plan in ("a\0b", "a' OR 1=1--", "first; DROP TABLE events"):
        assert page.post("/api/next", {"plan": plan}).status_code == 422
    deep = "[" * 50_000
    headers = {"X-CSRF-Token": page.csrf, "Content-Type": "application/json"}
    assert page.client.post("/api/next", content=deep, headers=headers).status_code == 400


def test_sessions_end(page: Page, clock: Clock) -> None:
    assert page.client.get("/desk").status_code == 200
    clock.now += 15 * 24 * 3600
    assert page.client.get("/desk").status_code == 401


def test_large_bodies_and_floods_are_refused(page: Page) -> None:
    headers = {"X-CSRF-Token": page.csrf}
    for over, status in ((0, 422), (1, 413)):  # 422: let through, and no JSON
        body = b"x" * (BODY_BYTES + over)
        assert page.client.post("/api/next", content=body, headers=headers).status_code == status
        chunks = (body[at : at + 50_000] for at in range(0, len(body), 50_000))  # of unstated length
        assert page.client.post("/api/next", content=chunks, headers=headers).status_code == status
    now = [0.0]
    bucket = Bucket(burst=3, per_s=1, clock=lambda: now[0])
    assert [bucket.allow("a") for _ in range(4)] == [True, True, True, False]
    assert bucket.allow("b")
    now[0] += 2
    assert [bucket.allow("a") for _ in range(3)] == [True, True, False]


def test_cookies_that_somebody_makes_up_are_no_way_around_the_limit(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.audit.server.app._BURST", 10.0)
    monkeypatch.setattr("tools.audit.server.app._PER_S", 0.0)
    page = Page(room)
    stranger = TestClient(page.client.app, base_url=HERE, follow_redirects=False)
    tried = [stranger.get("/desk", headers={"Cookie": f"geoscribe_audit=made|up|{n}|x"}).status_code for n in range(12)]
    assert (tried[0], tried[-1]) == (401, 429)
    assert page.client.get("/desk").status_code == 200


def test_every_answer_says_what_a_page_may_load(page: Page) -> None:
    for path in ("/", "/desk", "/guidelines", "/report", "/nowhere", "/static/desk.js"):
        headers = page.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_pages_load_nothing_from_elsewhere(page: Page) -> None:
    static = Path(__file__).parents[2] / "tools" / "audit" / "static"
    for path in ("/", "/desk", "/guidelines", "/report"):
        links = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.client.get(path).text)
        assert all(link.startswith("/") for link in links)
        for link in links:
            assert page.client.get(link).status_code == 200, link
    assert "url(http" not in (static / "desk.css").read_text()


@on_both_databases
def test_tokens_and_roles(desk: Desk, room: Room, library: Library) -> None:
    planned(desk, library)
    token = enrol(desk, "ann", "annotator", with_token=True)
    client = TestClient(make_app(room, secure=False), base_url=HERE, follow_redirects=False)
    assert client.get("/").headers["location"] == "/login"
    assert client.post("/login", data={"token": "wrong"}).status_code == 403
    entered = client.post("/login", data={"token": token})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "ann" in client.get("/").text
    assert client.get("/report").status_code == 403
    for _ in range(10):
        last = client.post("/login", data={"token": "wrong"})
    assert last.status_code == 429
    renewed = enrol(desk, "ann", "lead", with_token=True)
    assert renewed != token
    assert client.get("/desk").status_code == 401  # who had the old token is out
    lead = TestClient(make_app(room), base_url=HERE, follow_redirects=False)
    assert lead.post("/login", data={"token": token}).status_code == 403
    assert lead.post("/login", data={"token": renewed}).status_code == 303
    assert lead.get("/report").status_code == 200
    enrol(desk, "ann", "annotator", with_token=False)
    assert lead.get("/report").status_code == 401
    with pytest.raises(ConfigError, match="alias"):
        enrol(desk, "Ann Example <ann@example.org>", "annotator", with_token=True)


def test_an_annotator_sees_only_their_own_tasks(desk: Desk, room: Room, library: Library) -> None:
    planned(desk, library)
    ann, bob = Page(room, "ann"), Page(room, "bob")
    (task,) = ann.next(count=1)
    assert bob.client.get(task["pictures"][0]["url"]).status_code == 403
    assert bob.decide(task).status_code == 409
    assert ann.decide(task).status_code == 200


@pytest.mark.parametrize(
    ("address", "tokens", "lacking"),
    [
        (Address(host="0.0.0.0"), False, "nobody with a token.*without TLS"),
        (Address(host="0.0.0.0"), True, "without TLS"),
        (Address(host="192.0.2.7", proxy="192.0.2.1"), False, "nobody with a token"),
        (Address(host="192.0.2.7", proxy="the proxy"), True, "--behind-proxy.*an IP address or network"),
        (Address(host="127.0.0.1", certificate=Path("c.pem")), True, "certificate and key"),
        (Address(host="127.0.0.1", proxy="127.0.0.1"), False, "nobody with a token"),
    ],
)
def test_an_address_that_strangers_reach_is_refused(address: Address, tokens: bool, lacking: str) -> None:
    with pytest.raises(ConfigError, match=re.compile(lacking, re.DOTALL)):
        check(address, tokens=tokens)


def test_addresses_that_are_safe() -> None:
    check(Address(), tokens=False)
    check(Address(host="::1"), tokens=False)
    check(Address(host="0.0.0.0", certificate=Path("c"), key=Path("k")), tokens=True)
    check(Address(host="0.0.0.0", proxy="10.0.0.0/8"), tokens=True)


@on_both_databases
def test_a_lead_sees_both_decisions_and_nobody_else_does(room: Room, desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1, double_share=1)
    blind = []
    ann, bob, lea = Page(room, "ann"), Page(room, "bob"), Page(room)
    for one, said in (
        (ann, {"claims": {"0.0": "true", "1.0": "cannot"}, "note": "as it should be"}),
        (bob, {"verdict": "edit", "edits": {"short": "A road."}, "claims": {"1.0": "cannot"}, "reasons": ["generic"]}),
    ):
        (task,) = one.next()
        blind.append(task["decisions"])
        assert one.decide(task, **said, decision_id=f"{one is ann}-{task['task_id']}").status_code == 200
        assert one.next(plan="disagreements") == []
    assert blind == [[], []]
    (task,) = lea.next(plan="disagreements")
    first, second = task["decisions"]
    assert first == {
        "alias": "ann", "verdict": "accept", "reasons": [], "note": "as it should be", "edits": {},
        "claims": {"0.0": "true"},
    }  # fmt: skip
    assert (second["alias"], second["verdict"], second["edits"]) == ("bob", "edit", {"short": "A road."})
    assert second["reasons"] == ["would fit almost any place"]
    assert second["claims"] == {"0.0": None}  # they agree on the other
    enrol(desk, "lea", "annotator", with_token=False)  # no lead any more
    assert lea.next() == []
    assert lea.post("/api/undo").json() == {"task": None}
