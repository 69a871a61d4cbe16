"""What a stage is called stands in its record; the tuple of stages is the only list of them."""

import ast
from collections.abc import Iterator

import pytest

from pipeline.stages import PUBLISH, STAGES
from schemas.reasons import ABOUT, Reason
from tests.docs.recipes import ROOT

NAMES = {stage.name for stage in STAGES}
FILES = [path for room in ("pipeline", "tools") for path in sorted((ROOT / room).rglob("*.py"))]


def listed(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """Line and names of each literal collection that has two names of stages or more."""
    for node in ast.walk(tree):
        parts = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", None)
        found = {part.value for part in parts or () if isinstance(part, ast.Constant) and part.value in NAMES}
        if len(found) > 1:
            yield getattr(node, "lineno", 0), found


def test_no_other_list_of_stages() -> None:
    others = {
        str(path.relative_to(ROOT)): places
        for path in FILES
        if (places := list(listed(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert not others


@pytest.mark.parametrize(
    "listing", ['("imagery", "cues")', '{"cues": 1, "captions": 2}', '["imagery", "x", "captions"]']
)
def test_a_list_of_stages_is_found(listing: str) -> None:
    assert list(listed(ast.parse(listing)))


def test_each_stage_reads_layers_of_earlier_ones() -> None:
    before: list[type] = []
    for stage in STAGES:
        assert set(stage.reads) <= set(before)
        before.append(stage.record)


def test_each_reason_names_its_stage() -> None:
    assert set(ABOUT) == set(Reason)
    assert {about.stage for about in ABOUT.values()} == {*NAMES, PUBLISH}
