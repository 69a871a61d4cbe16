"""Templates of tile addresses: every form in use, and what is wrong with one that is mistyped."""

import mercantile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.aerial.templates import Template, faults, split_key

HOST = "https://tiles.example.org"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/{z}/{x}/{y}.jpg", "/17/69734/44632.jpg"),
        ("/tile/{z}/{y}/{x}", "/tile/17/44632/69734"),
        ("/{z}/{x}/{-y}.jpeg", "/17/69734/86439.jpeg"),
        ("/a{q}.jpeg", "/a12021222003122110.jpeg"),
        (
            "/wmts?tileMatrix=EPSG:3857:{z}&tileRow={y}&tileCol={x}",
            "/wmts?tileMatrix=EPSG:3857:17&tileRow=44632&tileCol=69734",
        ),
    ],
)
def test_each_form_gives_the_tiles_address(text: str, url: str) -> None:
    assert faults(HOST + text, (), None) == []
    assert Template(HOST + text).url(17, 69734, 44632) == HOST + url


@given(st.integers(1, 22).flatmap(lambda z: st.tuples(st.just(z), st.integers(0, 2**z - 1), st.integers(0, 2**z - 1))))
def test_rows_from_the_south_and_quadkeys_name_the_same_tile(tile: tuple[int, int, int]) -> None:
    z, x, y = tile
    south = Template(f"{HOST}/{{z}}/{{x}}/{{-y}}").url(z, x, y).split("/")
    assert 2**z - 1 - int(south[-1]) == y
    assert mercantile.quadkey_to_tile(Template(f"{HOST}/{{q}}").url(z, x, y).split("/")[-1]) == (x, y, z)


def test_a_tile_always_comes_from_the_same_subdomain_and_all_are_used() -> None:
    template = Template("https://{s}.example.org:8443/{z}/{x}/{y}", ("a", "b", "c"))
    urls = [template.url(10, x, 7) for x in range(9)]
    assert urls == [template.url(10, x, 7) for x in range(9)]
    assert {url[8] for url in urls} == {"a", "b", "c"}
    assert template.origins == tuple(f"https://{s}.example.org:8443" for s in "abc")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/{Z}/{x}/{y}", "{Z}"),
        ("/{zz}/{x}/{y}", "{zz}"),
        ("/{zoom}/{x}/{y}", "{zoom}"),
        ("/${z}/{x}/{ y }", "{ y }"),
        ("/{}/{x}/{y}", "{}"),
        ("/{z}/{y}", "no {x}"),
        ("/{x}/{y}", "no {z}"),
        ("/{z}/{x}", "no {y}"),
        ("/tiles", "no {z}, {x}, {y}"),
        ("/{z/{x}/{y}", "brace"),
        ("/{z}}/{x}/{y}", "brace"),
        ("/{z}/{x}/{y}/{-y}", "both {y} and {-y}"),
        ("/{q}/{z}", "{q} beside"),
        ("/{z}/{x}/{y}?k={key}", "{key} and no key_env"),
        ("/{s}/{z}/{x}/{y}", "{s} and no subdomains"),
    ],
)
def test_a_mistyped_template_is_told_what_is_wrong_and_what_is_allowed(text: str, found: str) -> None:
    wrong = faults(HOST + text, (), None)
    assert any(found in fault for fault, _ in wrong), wrong
    assert all(allowed for _, allowed in wrong)


@pytest.mark.parametrize(
    "text", ["ftp://example.org/{z}/{x}/{y}", "/{z}/{x}/{y}", "https:///{z}/{x}/{y}", "https://{x}.org/{z}/{x}/{y}",
             "https://a@b.org/{z}/{x}/{y}", "https://[x/{z}/{x}/{y}", "https://a b.org/{z}/{x}/{y}"]
)  # fmt: skip
def test_the_host_is_plain_and_the_address_whole(text: str) -> None:
    assert faults(text, (), None)


def test_halves_of_a_pair_are_refused_alone() -> None:
    whole = "https://{s}.example.org/{z}/{x}/{y}?k={key}"
    assert faults(whole, ("a",), "MY_KEY") == []
    assert [fault for fault, _ in faults(whole, (), "MY_KEY")] == ["{s} and no subdomains"]
    assert [fault for fault, _ in faults(whole, ("a",), None)] == ["{key} and no key_env"]
    plain = f"{HOST}/{{z}}/{{x}}/{{y}}"
    assert [fault for fault, _ in faults(plain, ("a",), "MY_KEY")] == ["subdomains and no {s}", "key_env and no {key}"]
    assert faults("https://example.org/{s}/{z}/{x}/{y}", ("a",), None)  # {s} is a host's part


@pytest.mark.parametrize(
    ("text", "rest", "name"),
    [
        ("https://h/a?api={key}", "https://h/a", "api"),
        ("https://h/a?api={key}&b=1", "https://h/a?b=1", "api"),
        ("https://h/a?b=1&api={key}", "https://h/a?b=1", "api"),
        ("https://h/{key}/a?b=1", "https://h/{key}/a?b=1", None),
        ("https://h/a?b=x{key}", "https://h/a?b=x{key}", None),
    ],
)
def test_a_key_in_the_query_is_left_to_the_client(text: str, rest: str, name: str | None) -> None:
    assert split_key(text) == (rest, name)


def test_a_key_is_sent_as_the_template_says() -> None:
    query = Template(f"{HOST}/{{z}}/{{x}}/{{y}}?token={{key}}")
    assert (key := query.key("MY_KEY")) is not None
    assert (key.query, key.in_path) == ("token", False)
    assert query.url(1, 0, 1) == f"{HOST}/1/0/1"
    path = Template(f"{HOST}/{{key}}/{{z}}/{{x}}/{{y}}")
    assert (key := path.key("MY_KEY")) is not None
    assert (key.query, key.in_path) == (None, True)
    assert path.url(1, 0, 1) == f"{HOST}/{{key}}/1/0/1"  # the client puts it in
