"""Pictures for a model: within their budget, scaled as the model's server would."""

import ast
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.captioning.dialogue.pictures import PATCH_PX, pictures_of, size_within
from pipeline.config.captioning import Dialogue
from pipeline.config.imagery import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from schemas.records import Image
from tests.captioning.places import place, view

SETTINGS = Dialogue(engine="dialogue", model="m", view_pixels=50_176, chip_pixels=25_088, max_views=3)


@pytest.fixture(scope="module")
def theirs() -> Callable[..., tuple[int, int]]:
    """The function of qwen-vl-utils, taken from its source: to import the package takes torch."""
    spec = importlib.util.find_spec("qwen_vl_utils")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("qwen-vl-utils is not installed (extra `perception`)")
    tree = ast.parse((Path(spec.submodule_search_locations[0]) / "vision_process.py").read_text())
    wanted: list[ast.stmt] = [
        node
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and (node.name == "smart_resize" or node.name.endswith("_by_factor")))
        or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant))
    ]
    names: dict[str, object] = {"math": math}
    source = "from typing import Optional, Tuple\n" + ast.unparse(ast.Module(wanted, []))
    exec(source, names)
    function = names["smart_resize"]
    assert callable(function)
    return function


@pytest.mark.models
@given(
    width=st.integers(16, 8_000),
    height=st.integers(16, 8_000),
    most=st.integers(3_136, 16_000_000),
)
def test_sizes_are_those_of_qwen_vl_utils(
    theirs: Callable[..., tuple[int, int]], width: int, height: int, most: int
) -> None:
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(ValueError, match="200"):
            size_within(width, height, most)
        return
    high, wide = theirs(height, width, PATCH_PX, 4 * PATCH_PX**2, most)
    assert size_within(width, height, most) == (max(wide, PATCH_PX), max(high, PATCH_PX))


def test_views_then_chips_each_within_its_budget() -> None:
    shown = pictures_of(place(views=4).site, SETTINGS)
    assert [picture.kind for picture in shown] == ["street", "street", "street", "aerial", "map"]
    assert [picture.direction for picture in shown] == [None, "right", "behind", None, None]
    assert [picture.octant for picture in shown] == [None, None, None, 2, 2]
    for picture in shown:
        height, width = decode(picture.jpeg, ImageLimits(min_side_px=16)).shape[:2]
        assert (picture.width, picture.height) == (width, height)
        assert picture.tokens == width // 28 * (height // 28) + 2
        assert width * height <= (50_176 if picture.kind == "street" else 25_088)
    assert len({picture.digest for picture in shown}) == 5


def test_the_same_picture_gives_the_same_bytes() -> None:
    first, second = (pictures_of(place().site, SETTINGS) for _ in range(2))
    assert [picture.digest for picture in first] == [picture.digest for picture in second]


def test_a_view_without_heading_has_no_direction() -> None:
    site = place().site
    bare = site.model_copy(update={"views": [v.model_copy(update={"heading_deg": None}) for v in site.views]})
    assert {(p.direction, p.octant) for p in pictures_of(bare, SETTINGS)} == {(None, None)}


def test_a_damaged_picture_is_the_site_s_fault() -> None:
    site = place().site
    broken = view(1, 0.0, site.views[0].image.bytes).model_copy(update={"image": Image(bytes=b"<html>", path="x")})
    with pytest.raises(SiteError, match="not_an_image"):
        pictures_of(site.model_copy(update={"views": [broken]}), SETTINGS)
