"""The card's map and histograms: sound SVG that shows what was counted."""

import xml.etree.ElementTree as ET

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.card_pictures import bin_of, histograms_svg, map_svg

SVG = "{http://www.w3.org/2000/svg}"


def index(rows: list[tuple[str, float, float, str]]) -> pa.Table:
    names = ("region", "lat", "lon", "split")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def dots(svg: str, radius: str = "2") -> list[tuple[float, float, str]]:
    circles = ET.fromstring(svg).iter(f"{SVG}circle")
    return [
        (float(c.attrib["cx"]), float(c.attrib["cy"]), c.attrib["fill"]) for c in circles if c.attrib["r"] == radius
    ]


def test_north_is_up_east_is_right_and_splits_have_colours() -> None:
    rows = [("town", 52.0, 13.0, "train"), ("town", 52.01, 13.0, "test"), ("town", 52.0, 13.01, "train")]
    found = dots(map_svg(index(rows), ["train", "test"]))
    origin, east = sorted(found[:2])
    north = found[2]
    assert north[1] < origin[1] == east[1]
    assert east[0] > origin[0] == north[0]
    assert north[2] != origin[2] == east[2]


def test_a_region_on_the_antimeridian_is_one_place() -> None:
    found = dots(map_svg(index([("isle", -17.0, 179.999, "train"), ("isle", -17.0, -179.999, "train")]), ["train"]))
    assert len(found) == 2
    assert found[0][0] != found[1][0]


def test_a_million_samples_stay_small() -> None:
    rows = [("town", 52 + i % 997 * 1e-5, 13 + i // 997 * 1e-5, "train") for i in range(200_000)]
    assert len(map_svg(index(rows), ["train"])) < 400_000


def test_of_many_regions_the_largest_are_shown() -> None:
    rows = [(f"r{i:02d}", 1.0, 1.0, "train") for i in range(30)] + [("big", 1.0, 1.0, "train")] * 2
    text = map_svg(index(rows), ["train"])
    assert "big: 2" in text
    assert "The 24 largest of 31 regions." in text


@given(
    st.dictionaries(
        st.sampled_from(["description_tokens", "cues", "distance_m", "captured"]),
        st.dictionaries(st.integers(-3, 40).map(lambda n: str(n * 20)) | st.just("unknown"), st.integers(1, 10**6)),
    )
)
def test_histograms_are_sound_and_complete(counted: dict[str, dict[str, int]]) -> None:
    root = ET.fromstring(histograms_svg(counted))
    bars = [title.text or "" for title in root.iter(f"{SVG}title")]
    wanted = [f"{start}: {n}" for bins in counted.values() for start, n in bins.items() if start != "unknown"]
    assert sorted(bars) == sorted(wanted)


@pytest.mark.parametrize(("name", "value", "found"), [("description_tokens", 139, "120"), ("distance_m", 4.9, "0")])
def test_bins_are_named_by_where_they_begin(name: str, value: float, found: str) -> None:
    assert bin_of(name, value) == found
