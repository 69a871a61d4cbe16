"""YAML from outside: taken as written, or refused in one line with its place, at little cost."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import strict_yaml
from pipeline.config.region import Region
from pipeline.config.strict_yaml import parse_yaml, read_yaml
from pipeline.errors import ConfigError
from pipeline.publishing.takedown import read_takedown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30+00:00"),
        ("2026-03-01T10:20:30", "2026-03-01T10:20:30"),
        ("2001-12-14 21:59:43.10 -5", "2001-12-14T21:59:43.100000-05:00"),
        ("'2026-03-01'", "2026-03-01"),
        ("2026-10-21.0", "2026-10-21.0"),
        ("2026-13-45", "2026-13-45"),
        ("no", "no"),
        ("On", "On"),
        ("y", "y"),
        ("true", True),
        ("12:30:45", "12:30:45"),
        ("01001", "01001"),
        ("1_000", "1_000"),
        ("75001", 75001),
        ("-3", -3),
        ("0x10", 16),
        ("12345678901234567890123", "12345678901234567890123"),
        ("0x" + "f" * 5_000, "0x" + "f" * 5_000),
        ("1.5", 1.5),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("-.inf", float("-inf")),
        ("~", None),
        ('"\\uD83D\\uDE00"', "😀"),
        ("{x: &a [1, 2], y: *a}", {"x": [1, 2], "y": [1, 2]}),
        ("{x: &a {b: 1}, y: {<<: *a, c: 2}}", {"x": {"b": 1}, "y": {"b": 1, "c": 2}}),
        (
            "{w: &a {b: 1}, x: {n: &c {<<: *a, b: 2}}, y: {<<: *c}}",
            {"w": {"b": 1}, "x": {"n": {"b": 2}}, "y": {"b": 2}},
        ),
    ],
)
def test_what_is_sound_is_taken(text: str, value: Any) -> None:
    assert parse_yaml(f"key: {text}") == {"key": value}


def lines(first: str, following: str, separator: str) -> str:
    """An anchor, and 29 that each name the one before nine times."""
    each = (f"a{n}: &a{n} {following.format(separator.join([f'*a{n - 1}'] * 9))}" for n in range(1, 30))
    return "\n".join([f"a0: &a0 {first}", *each])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 1_500 + "]" * 1_500, "more than 100 levels"),
        ("\n".join(" " * n + "a:" for n in range(1_500)), "more than 100 levels"),
        ("- " * 3_000 + "x", "more than 100 levels"),
        (lines("[x, x]", "[{}]", ","), "aliases written out"),
        (lines("{x: 1}", "{{<<: [{}]}}", ","), "aliases written out"),
        ("a: &a [*a]", "an alias of what it stands in"),
        ("&a {<<: *a}", "an alias of what it stands in"),
        ('a: "\\uD800"', "surrogate"),
        ('"\\uDC00": 1', "surrogate"),
        ('a: "x\\0y"', "a NUL character"),
        ("a: !!binary AAA=", "found a value of type binary"),
        ("a: !!set {x, y}", "found a value of type set"),
        ("a: !!omap [x: 1]", "found a value of type omap"),
        ("a: !!pairs [x: 1, x: 2]", "found a value of type pairs"),
        ("a: !!map x", "expected a mapping node"),
        ('a: "\\UFFFFFFFF"', "what cannot be read"),
        ('a: "\\U00110000"', "what cannot be read"),
        ("a: !!int x", "int that cannot be read"),
        ("a: !!int ''", "int that cannot be read"),
        ("a: !!timestamp x", "timestamp that cannot be read"),
        ("a: !!bool maybe", "bool that cannot be read"),
        ("a: " + "1" * 10_000, "int that cannot be read"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: 1\na: 2", "found a twice"),
        ("1: a\n'1': b", "found 1 twice"),
        ("~: 1\nnull: 2", "found None twice"),
        ("true: 1\nTrue: 2", "found True twice"),
        ("16: 1\n0x10: 2", "found 16 twice"),
        ("- {a: 1, 'a': 2}", "found a twice"),
        ("x: &x {a: 1}\ny: {<<: *x, <<: *x}", "found << twice"),
    ],
)
def test_what_is_not_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    message = " ".join(str(caught.value).split())
    assert said in message
    assert "line" in message
    assert len(message) < 600


def test_more_values_than_anybody_writes_are_refused_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "_MOST_NODES", 1_000)
    with pytest.raises(yaml.YAMLError, match="more than 1000 values"):
        parse_yaml("a: [" + "x, " * 1_000 + "]")


@pytest.mark.parametrize("name", ["no", "75001", "01001", "2026-03-01", "1e3"])
def test_a_region_s_name_needs_no_quotes(name: str) -> None:
    region = Region.model_validate(parse_yaml(f"{{name: {name}, centre: [46, 007.50], radius_m: 1_000}}"))
    assert region.name == name
    assert region.centre == (46.0, 7.5)
    assert region.radius_m == 1_000


def test_ids_in_a_list_of_texts_need_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("source_ids: [1234567890123456, 007]")
    assert read_takedown(tmp_path / "list.yaml").source_ids == ("1234567890123456", "007")


def test_a_file_without_end_is_refused_and_a_pipe_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="more than 20,000,000 bytes"):
        read_yaml(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("a: no",))
    writer.start()
    assert read_yaml(tmp_path / "pipe") == {"a": "no"}
    writer.join()


@pytest.mark.parametrize("data", ["ä: 1".encode("utf-16"), "ä: 1".encode("latin-1"), b"a: \0"])
def test_what_is_not_utf_8_is_refused_with_the_file_s_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "build.yaml").write_bytes(data)
    with pytest.raises(ConfigError, match="valid YAML in UTF-8"):
        read_yaml(tmp_path / "build.yaml")
