"""What the page does beside a plain session: drone views, verdicts in words, drawer, disagreements, a dead network."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from pipeline.captioning.tokens import count_clip_tokens
from schemas.records import Sample
from tests.audit.browser.conftest import Server, Watched, at_work, settled
from tests.audit.browser.test_page import PLAIN, current, events
from tests.audit.conftest import ANN, BOB, REJECT, judge
from tests.tools.conftest import make_sample, publish
from tools.audit.opening import dataset_of
from tools.audit.people import enrol

__all__ = ["make_sample"]
Serve = Callable[[Path], Server]
Watch = Callable[..., Watched]
MakeSample = Callable[..., Sample]
FULL = "The house stands by the road. " * 41 + "It is red and low, with a green door."
"""As long as a description may be."""


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
    page.keyboard.press("e")
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


def test_a_lead_decides_where_two_disagree(tmp_path: Path, make_sample: MakeSample, serve: Serve, watch: Watch) -> None:
    server = made_by_hand(tmp_path / "made", make_sample, serve)
    server.plan("name: twice\nsamples: 1\ndouble_share: 1\nattention_share: 0\n")
    desk = server.opened()
    for person in (ANN, BOB):
        enrol(desk, person.alias, "annotator", with_token=False)
        judge(desk, person, **(REJECT if person is BOB else {}))
    desk.close()
    page = watch(server.start().url).page
    expect(page.locator("table")).to_contain_text("disagreements")
    page.get_by_role("link", name="with disagreements").click()
    expect(page.locator(".question")).to_have_text("Two people disagree: decide")
    expect(page.locator(".progress")).to_contain_text("1 left for you")
    page.keyboard.press("a")
    settled(page)
    expect(page.locator("main")).to_contain_text("Nothing left for you here")


def test_decisions_wait_while_the_network_is_gone(synthetic: Path, serve: Serve, watch: Watch) -> None:
    server = serve(synthetic)
    server.plan(PLAIN)
    page = at_work(watch(server.start().url))
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    seen = [current(page)]
    for _ in range(2):  # two more samples are loaded already
        page.keyboard.press("a")
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
