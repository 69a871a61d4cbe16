"""What the page does beside a plain session: drone views, verdicts in words, drawer, disagreements, a dead network."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect
from sqlalchemy import update

from pipeline.captioning.tokens import count_clip_tokens
from schemas.records import Sample
from tests.audit.browser.conftest import Server, Watched, at_work, press, settled
from tests.audit.browser.test_page import PLAIN, current, events, serious
from tests.audit.conftest import ANN, BOB, judge
from tests.tools.conftest import make_sample, publish
from tools.audit.database.tables import tasks
from tools.audit.opening import dataset_of
from tools.audit.people import enrol
from tools.audit.queue import take

__all__ = ["make_sample"]
Serve = Callable[[Path], Server]
Watch = Callable[..., Watched]
MakeSample = Callable[..., Sample]
FULL = "The house stands by the road. " * 41 + "It is red and low, with a green door."
"""As long as a description may be."""


EDIT = {
    "verdict": "edit", "edits": {"short": "A door."}, "claims": {"0.0": "false"}, "reasons": ["generic"],
}  # fmt: skip

AGREE = {"claims": {"0.0": "true"}, "note": "<b>as it should be</b>"}


def doubtful(sample: Sample) -> Sample:
    """A sample with a drone view, a claim that nobody witnesses, one that a witness speaks against, and a full text."""
    first, second, *others = sample.sentences
    against = {"outcome": "contradicted", "detail": "the sign reads BAKERY"}
    unsaid = {"outcome": "not_witnessed", "witnesses": []}
    sentences = [
        first.model_copy(update={"claims": [first.claims[0].model_copy(update=against)]}),
        second.model_copy(update={"claims": [second.claims[0].model_copy(update=unsaid)]}),
        *others,
    ]
    return sample.model_copy(
        update={
            "drone": sample.aerial,
            "drone_chip": sample.aerial_chip,
            "sentences": sentences,
            "description": FULL,
        }
    )


def made_by_hand(folder: Path, make: MakeSample, serve: Serve) -> Server:
    publish(folder, [doubtful(make(10 * i)) for i in range(4)])
    server = serve(folder)
    server.take_as_verified()
    return server


def test_a_drone_view_verdicts_in_words_and_the_drawer(
    tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch
) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    page.keyboard.press("4")
    expect(page.locator(".large .frame > img").first).to_have_attribute("alt", "Drone view")
    expect(page.locator(".large .wedge")).to_have_count(1)
    expect(page.locator(".large .north")).to_have_count(1)
    against, unsaid = page.locator(".claim.contradicted"), page.locator(".claim.not_witnessed")
    expect(against).to_contain_text("the sign reads BAKERY")
    expect(unsaid).to_contain_text("nobody but the writer says so")
    marks = [page.locator(f".claim.{kind} .mark").first.inner_text() for kind in ("contradicted", "not_witnessed")]
    assert marks == ["✕", "?"]  # signs, so that nobody has to tell colours
    page.keyboard.press("d")
    for said in ("written by", "composer-en-1", "licence class", "claims witnessed"):
        expect(page.locator(".drawer")).to_contain_text(said)
    page.keyboard.press("d")
    expect(page.locator(".drawer")).to_have_count(0)


def test_a_text_of_300_tokens_cannot_be_made_longer(
    tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch
) -> None:
    assert count_clip_tokens(FULL) == 300
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    press(page, "e")
    expect(page.locator(".tokens").first).to_have_text("300 of 300 tokens")
    page.locator("#draft-long").press("Control+End")
    page.keyboard.type(" Trees.")
    expect(page.locator(".tokens").first).to_have_text("302 of 300 tokens: too long")
    expect(page.locator(".findings .error")).to_contain_text("302 CLIP tokens, and at most 300 are allowed")
    expect(page.locator("form .accept")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#draft-long")).to_be_visible()
    page.locator("#draft-long").fill("A sign ahead reads BAKERY.")
    page.keyboard.press("Control+Enter")  # at once: it is checked before it is saved
    expect(page.locator(".status")).to_contain_text("Edited.")
    settled(page)
    assert [event.action for event in events(server)].count("decide") == 1


def test_a_note_may_have_5000_characters_and_is_never_cut(
    tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch
) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    footer = page.locator("footer").bounding_box()
    for characters in (5_001, 5_000):
        page.keyboard.press("n")
        page.locator(".note textarea").fill("\U0001f3e0" * characters)
        assert page.locator("footer").bounding_box() == footer  # however much stands in it
        page.keyboard.press("Escape")
        press(page, "a")
        if characters > 5_000:
            expect(page.locator(".status")).to_contain_text("The note is too long.")
            expect(page.locator(".note .tokens")).to_have_text("5001 of 5000 characters: too long")
            page.keyboard.press("Escape")
    settled(page)
    (note,) = (event.payload["note"] for event in events(server) if event.action == "decide")
    assert note == "\U0001f3e0" * 5_000


def test_a_tab_that_slept_takes_up_its_tasks_again(
    tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch
) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    desk = server.opened()
    with desk.writing() as connection:  # an hour has passed
        connection.execute(update(tasks).values(lease_until=tasks.c.lease_until - 3600))
    page.evaluate("() => { const now = Date.now(); Date.now = () => now + 3_600_000; }")
    with page.expect_response("**/api/next"):
        page.keyboard.press("j")
    assert len(take(desk, ANN, count=9)) == 1  # of four, three are held again
    desk.close()


def test_a_lead_decides_where_two_disagree(tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan("name: twice\nsamples: 1\ndouble_share: 1\nattention_share: 0\n")
    desk = server.opened()
    for person in (ANN, BOB):
        enrol(desk, person.alias, "annotator", with_token=False)
        judge(
            desk, person, **(EDIT if person is BOB else {"claims": {"0.0": "true"}, "note": "<b>as it should be</b>"})
        )
    desk.close()
    watched = watch(server.start().url)
    page = watched.page
    expect(page.locator("table")).to_contain_text("disagreements")
    page.get_by_role("link", name="with disagreements").click()
    expect(page.locator(".question")).to_have_text("Two people disagree: decide")
    expect(page.locator(".progress")).to_contain_text("1 left for you")
    ann, bob = page.locator(".both article").all()
    expect(ann).to_contain_text("Accepted")
    expect(ann).to_contain_text("<b>as it should be</b>")
    expect(bob).to_contain_text("Edited")
    expect(bob).to_contain_text("would fit almost any place")
    expect(bob.locator("del")).to_have_count(1)
    expect(bob.locator("ins")).to_have_text("door.")
    assert page.locator(".both tbody tr").all_inner_texts() == ["A sign ahead reads BAKERY.\ttrue\tfalse"]
    assert serious(page) == []
    bob.get_by_role("button").click()
    expect(page.locator("#draft-short")).to_have_value("A door.")
    page.locator("#draft-short").press("Control+Enter")
    expect(page.locator(".status")).to_contain_text("Edited.")
    settled(page)
    assert watched.errors == []
    expect(page.locator("main")).to_contain_text("Nothing left for you here")


def test_decisions_wait_while_the_network_is_gone(synthetic: Path, serve: Serve, watch: Watch) -> None:
    server = serve(synthetic)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    seen = [current(page)]
    for _ in range(2):  # two more samples are loaded already
        press(page, "a")
        expect(page.locator("h1 bdi")).not_to_have_text(seen[-1])
        expect(page.locator(".large .frame > img").first).to_have_js_property("complete", value=True)
        seen.append(current(page))
    expect(page.locator(".fault")).to_contain_text("Not saved yet, trying again: the server does not answer")
    assert [event.action for event in events(server)].count("decide") == 0
    page.context.set_offline(False)
    settled(page)
    expect(page.locator(".fault")).to_have_count(0)
    assert [event.action for event in events(server)].count("decide") == 2


def test_the_workspace_of_a_build_stands_for_its_dataset(synthetic: Path) -> None:
    assert Path(dataset_of(str(synthetic.parent / "workspace"))).resolve() == synthetic.resolve()


def test_a_clumsy_person_judges_nothing_that_they_did_not_see(
    tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch
) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url, 640, 400))  # as at 200 % zoom
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first = current(page)
    for _ in range(3):  # held down: it opens the box, and writes nothing in it
        page.keyboard.down("e")
    page.keyboard.up("e")
    assert page.locator("#draft-long").input_value() == FULL
    page.locator("#draft-short").fill("A door. \u0645\u0631\u062d\u0628\u0627")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("to be kept")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.reload()  # in the middle of an edit
    expect(page.locator("#draft-short")).to_have_value("A door. \u0645\u0631\u062d\u0628\u0627")
    expect(page.locator(".noted")).to_have_text("to be kept")
    page.locator("#draft-short").press("Escape")
    page.wait_for_selector("main[data-ready]")
    page.keyboard.down("a")
    page.wait_for_selector("main[data-ready] >> visible=true")
    expect(page.locator("h1 bdi")).not_to_have_text(first)
    for _ in range(5):
        page.keyboard.down("a")  # still held
    page.keyboard.up("a")
    settled(page)
    assert [event.action for event in events(server)].count("decide") == 1
    press(page, "u")
    expect(page.locator("h1 bdi")).to_have_text(first)
    expect(page.locator(".noted")).to_have_text("to be kept")  # nothing that was written is lost
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/pictures/street", hold)  # a picture that does not come
    page.reload(wait_until="commit")
    page.wait_for_selector(".large img")
    page.keyboard.press("a")
    expect(page.locator(".status")).to_contain_text("The picture is still loading.")
    for route in held:
        route.continue_()
    page.unroute("**/pictures/street")
    page.wait_for_selector("main[data-ready]")
    page.get_by_role("button", name="Accept").dblclick()
    settled(page)
    assert [event.action for event in events(server)].count("decide") == 2
