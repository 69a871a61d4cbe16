"""Whole sessions by keyboard, as a person would have them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.audit.browser.conftest import Server, Watched, at_work, press, settled
from tools.audit import log

Serve = Callable[[Path], Server]
Watch = Callable[..., Watched]
PLAIN = "name: first\ndouble_share: 0\nattention_share: 0\n"
ALL_QUESTIONS = "name: first\ndouble_share: 0\nattention_share: 0.2\nwhich_share: 0.5\nalike_share: 0.3\n"


def events(server: Server) -> list[log.Event]:
    desk = server.opened()
    with desk.reading() as connection:
        assert log.verify(connection) == []
        found = list(log.read(connection))
    desk.close()
    return found


def current(page: Page) -> str:
    return page.inner_text("h1 bdi")


def test_a_session_by_keyboard(place: Path, serve: Serve, watch: Watch) -> None:
    server = serve(place)
    server.plan(PLAIN)
    watched = watch(server.start().url)
    page = at_work(watched)
    first = current(page)
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.keyboard.press("n")
    page.keyboard.type("a note with a, e, r and s in it")
    page.keyboard.press("Escape")
    press(page, "a")
    expect(page.locator("h1 bdi")).not_to_have_text(first)
    press(page, "r")
    page.keyboard.press("2")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.locator(".status")).to_contain_text("Rejected.")
    press(page, "e")
    page.locator("#draft-long").press("End")
    page.keyboard.type(" Trees stand there.")
    expect(page.locator(".diff ins").first).to_contain_text("Trees stand there.")
    expect(page.locator(".tokens").first).to_contain_text("of 300 tokens")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".status")).to_contain_text("Edited.")
    skipped = current(page)
    press(page, "s")
    expect(page.locator("h1 bdi")).not_to_have_text(skipped)
    page.keyboard.press("u")
    expect(page.locator("h1 bdi")).to_have_text(skipped)
    press(page, "a")
    settled(page)
    said = [event for event in events(server) if event.action in ("decide", "skip", "undo")]
    assert [event.action for event in said] == ["decide", "decide", "decide", "skip", "undo", "decide"]
    assert said[0].payload["claims"] == {"0.0": "false"}
    assert said[0].payload["note"] == "a note with a, e, r and s in it"
    assert said[1].payload["reasons"] == ["wrong_attribute", "ocr_wrong"]
    assert said[2].payload["edits"]["long"].endswith(" Trees stand there.")
    assert (watched.errors, watched.elsewhere) == ([], [])
    while page.locator(".large img").count():  # to the end of the queue
        press(page, "a")
        settled(page)
    expect(page.locator("main")).to_contain_text("Nothing left for you here")


def test_evidence_lights_up_both_ways_and_keys_change_the_picture(synthetic: Path, serve: Serve, watch: Watch) -> None:
    server = serve(synthetic)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    for key, label in (("2", "Aerial view"), ("3", "Map view"), ("1", "Street view")):
        page.keyboard.press(key)
        expect(page.locator(".large .frame > img").first).to_have_attribute("alt", label)
    page.keyboard.press("4")
    expect(page.locator(".large")).to_contain_text("no drone view")
    page.keyboard.press("2")
    expect(page.locator(".large .wedge")).to_have_count(1)
    expect(page.locator(".large .north")).to_have_count(1)
    claim = page.locator(".claim", has=page.locator(".chip.map")).first
    claim.locator(".pick").click()
    marked = page.locator(".claim.active .chip.lit").all_inner_texts()
    assert marked
    expect(page.locator(".thumb .dot").first).to_be_visible()
    page.mouse.move(5, 5)
    page.keyboard.press("k")
    page.keyboard.press("1")
    ids = set(page.locator(".chip").evaluate_all("chips => chips.map(chip => chip.textContent.trim().split(' ')[0])"))
    told = [cue for cue in page.locator(".large .cue").all() if cue.locator("text").text_content() in ids]
    if told:
        told[0].locator("polygon:not(.halo)").dispatch_event("pointerenter")
        told[0].dispatch_event("pointerenter")
        expect(page.locator(".sentence.lit").first).to_be_visible()
    page.keyboard.press("b")
    expect(page.locator(".large .cue:not(.lit)")).to_have_count(0)  # those of the active claim stay
    page.keyboard.press("m")
    expect(page.locator(".large .mask").first).to_be_attached()


def test_the_360_viewer_turns(synthetic: Path, serve: Serve, watch: Watch) -> None:
    server = serve(synthetic)
    server.plan(PLAIN)
    watched = watch(server.start().url)
    page = at_work(watched)
    page.keyboard.press("5")
    page.wait_for_selector(".sphere[data-ready]", timeout=30_000)
    before = page.inner_text(".compass")
    page.keyboard.down("ArrowRight")
    expect(page.locator(".compass")).not_to_have_text(before)
    page.keyboard.up("ArrowRight")
    press(page, "a")
    expect(page.locator(".large .frame > img").first).to_be_visible()
    assert (watched.errors, watched.elsewhere) == ([], [])


def test_a_server_that_is_killed_in_the_middle_loses_nothing(place: Path, serve: Serve, watch: Watch) -> None:
    server = serve(place)
    server.plan(PLAIN)
    watched = watch(server.start().url)
    page = at_work(watched)
    first = current(page)
    press(page, "a")
    settled(page)
    second = current(page)
    server.kill()
    press(page, "a")
    expect(page.locator(".fault")).to_contain_text("Not saved yet, trying again")
    server.start()
    settled(page)
    expect(page.locator(".fault")).to_have_count(0)
    assert [event.action for event in events(server)].count("decide") == 2
    for back in (second, first):  # undo reaches back across the restart
        page.keyboard.press("u")
        expect(page.locator("h1 bdi")).to_have_text(back)
    page.reload()
    page.wait_for_selector(".large img")
    assert current(page) in (first, second)


def test_two_annotators_at_once(place: Path, serve: Serve, watch: Watch) -> None:
    server = serve(place)
    server.plan(PLAIN)
    tokens = {alias: server.command("enrol", server.dataset, alias).strip() for alias in ("ann", "bob")}
    server.start()
    pages = {}
    for alias, token in tokens.items():
        watched = watch(server.url)
        expect(watched.page.locator("h1")).to_have_text("Sign in")  # the first page of a stranger
        watched.page.fill("#token", token)
        watched.page.keyboard.press("Enter")
        watched.page.wait_for_url(server.url + "/")
        pages[alias] = at_work(watched)
    for _ in range(3):
        for page in pages.values():
            press(page, "a")
    for page in pages.values():
        settled(page)
    decided = [event for event in events(server) if event.action == "decide"]
    assert sorted(event.alias for event in decided) == ["ann"] * 3 + ["bob"] * 3
    assert len({event.task_id for event in decided}) == 6


def test_two_tabs_of_one_annotator(synthetic: Path, serve: Serve, watch: Watch) -> None:
    server = serve(synthetic)
    server.plan(PLAIN)
    first = at_work(watch(server.start().url))
    second = first.context.new_page()
    second.goto(first.url)
    second.wait_for_selector(".large img")
    assert current(first) == current(second)
    press(first, "a")
    settled(first)
    footer, picture = second.locator("footer").bounding_box(), second.locator(".frame").bounding_box()
    press(second, "a")
    told = "Not saved: it was decided already, perhaps in another tab"
    expect(second.locator(".fault")).to_contain_text(told)
    assert (footer, picture) == (second.locator("footer").bounding_box(), second.locator(".frame").bounding_box())
    press(second, "a")
    settled(second)
    expect(second.locator(".fault")).to_contain_text(told)  # until it has been read
    second.get_by_role("button", name="Dismiss").click()
    expect(second.locator(".fault")).to_have_count(0)
    assert [event.action for event in events(server)].count("decide") == 2


SIZES = {"laptop": (1280, 720), "desktop": (1920, 1080), "4k": (3840, 2160)}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_the_screen_and_nothing_jumps(
    place: Path, serve: Serve, watch: Watch, size: str, theme: str, tmp_path: Path
) -> None:
    """Set GEOSCRIBE_SCREENSHOTS to a folder to keep the pictures."""
    width, height = SIZES[size]
    server = serve(place)
    server.plan(ALL_QUESTIONS)
    page = at_work(watch(server.start().url, width, height, theme))
    folder = Path(os.environ.get("GEOSCRIBE_SCREENSHOTS", tmp_path))
    kinds = 2 if place.parent.name.startswith("real") else 3  # without aerial views none can be chosen from
    seen: set[str] = set()
    places: set[str] = set()
    while page.locator(".large img, blockquote").count() and len(seen) < kinds:
        question = page.inner_text(".question")
        if question not in seen:
            seen.add(question)
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"{place.parent.name[:4]}-{size}-{theme}-{question.split()[0].lower()}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        places.add(str(page.locator("footer").bounding_box()))
        if question == "Is it right?":
            places.add(str(page.locator("footer").bounding_box()))
            expect(page.locator(".actions .accept")).to_be_in_viewport()
        press(page, "1" if question != "Is it right?" else "a")
        settled(page)
    assert len(seen) == kinds
    assert len(places) == 1


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_has_no_serious_finding(synthetic: Path, serve: Serve, watch: Watch, theme: str) -> None:
    server = serve(synthetic)
    server.plan(ALL_QUESTIONS)
    page = watch(server.start().url, theme=theme).page

    def look(where: str) -> None:
        assert (where, serious(page)) == (where, [])

    look("start")
    for path in ("/guidelines", "/report"):
        page.goto(server.url + path)
        look(path)
    page.goto(server.url)
    page.click("a.button")
    page.wait_for_selector(".large img, blockquote")
    seen: set[str] = set()
    while len(seen) < 3:
        question = page.inner_text(".question")
        if question not in seen:
            seen.add(question)
            look(question)
        if question == "Is it right?" and "panels" not in seen and len(seen) < 3:
            page.keyboard.press("j")
            page.keyboard.press("d")
            look("claim and details")
            page.keyboard.press("d")
            for key in ("?", "r", "e"):
                page.keyboard.press(key)
                page.wait_for_timeout(400)
                look(f"after {key}")
                page.keyboard.press("Escape")
        press(page, "1" if question != "Is it right?" else "a")
        settled(page)
