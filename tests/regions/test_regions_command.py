"""`geoscribe regions`, and the map that it draws."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline.errors import ConfigError
from pipeline.regions.catalogue import catalogue
from tools.cli.regions import regions_app
from tools.regions.world import HEIGHT, WIDTH, on_map

RUN = CliRunner()


def test_list_shows_all_and_filters() -> None:
    everything = RUN.invoke(regions_app, ["list"])
    assert everything.output.endswith("225 of 225 regions\n")
    assert all(id_ in everything.output for id_ in catalogue())
    some = RUN.invoke(regions_app, ["list", "--continent", "AS", "--country", "JP"]).output
    assert "jp-tokyo" in some
    assert "kr-seoul" not in some


@pytest.mark.parametrize(
    "arguments", [["list", "--continent", "XX"], ["list", "--country", "QQ"], ["show", "jp-tokio"]]
)
def test_what_is_unknown_is_refused(arguments: list[str]) -> None:
    result = RUN.invoke(regions_app, arguments)
    assert isinstance(result.exception, ConfigError)


def test_show_tells_all_of_a_region() -> None:
    said = RUN.invoke(regions_app, ["show", "at-vienna"]).output
    for part in ("Vienna", "Europe", "48.20849, 16.37208", "Latn", "Cfb", "basemap-at", "catalogue: at-vienna"):
        assert part in said


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.circles = 0
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.circles += tag == "circle"
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "a":
            self.links.append(values.get("href") or "")
        self.loads += [tag] if tag in ("script", "link", "img", "iframe") else []


def test_the_map_is_a_picture_and_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    assert RUN.invoke(regions_app, ["map", "--out", str(tmp_path / "new")]).exit_code == 0
    with Image.open(tmp_path / "new" / "regions.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[1] >= 2_000
    red = np.abs(pixels - np.array([0xB4, 0x23, 0x18])).sum(axis=2) < 12
    assert red.sum() > 20 * 180
    text = (tmp_path / "new" / "regions.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.ids == list(catalogue())
    assert sorted(page.links) == sorted(f"#{id_}" for id_ in catalogue())
    assert page.circles == 225
    assert page.loads == []
    assert not re.search(r"(src|url)\s*[=(]", text)


def test_places_are_on_the_map() -> None:
    lon, lat = np.array([e.lon for e in catalogue().values()]), np.array([e.lat for e in catalogue().values()])
    x, y = on_map(lon, lat)
    assert ((x > 0) & (x < WIDTH) & (y > 0) & (y < HEIGHT)).all()
    corners = on_map(np.array([-168.999, 190.999, 11.0]), np.array([0.0, 0.0, 0.0]))
    assert corners[0] == pytest.approx([0, WIDTH, WIDTH / 2], abs=0.01)
